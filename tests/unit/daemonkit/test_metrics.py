import os

from daemonkit.metrics import LoopMetrics, Metrics, age, memory


def test_two_daemons_in_one_process_share_nothing() -> None:
    one, two = Metrics("one", "0"), Metrics("two", "0")
    one.loop.changed("ports", created=2, changed=0, deleted=1)

    assert 'moorage_loop_changes_total{layer="ports",verb="create"} 2.0' in one.text().decode()
    assert "moorage_loop_changes_total{" not in two.text().decode()


def test_passes_are_counted_by_kind() -> None:
    metrics = Metrics("one", "0")
    metrics.loop.passed(full=True, seconds=0.2, failing=3)
    metrics.loop.passed(full=False, seconds=0.001, failing=1)

    text = metrics.text().decode()
    assert 'moorage_loop_pass_seconds_count{kind="full"} 1.0' in text
    assert 'moorage_loop_pass_seconds_count{kind="keys"} 1.0' in text
    assert "moorage_loop_failing_keys 1.0" in text


def test_several_loops_of_a_daemon_are_told_apart_by_layer_and_counted_together() -> None:
    metrics = Metrics("one", "0")
    one, two = metrics.loop.part("disk"), metrics.loop.part("nas")
    one.passed(full=True, seconds=0.2, failing=3)
    two.passed(full=True, seconds=0.2, failing=1)
    one.passed(full=True, seconds=0.2, failing=2)
    two.changed("binds", created=1, changed=0, deleted=0)

    text = metrics.text().decode()
    assert "moorage_loop_failing_keys 3.0" in text
    assert 'moorage_loop_pass_seconds_count{kind="full"} 3.0' in text
    assert 'moorage_loop_changes_total{layer="nas/binds",verb="create"} 1.0' in text


def test_processes_that_come_and_go_count_as_the_daemon_s_memory() -> None:
    metrics = Metrics("one", "0")
    alone = metrics.memory()
    metrics.more = lambda: {"worker": os.getpid()}

    assert metrics.memory() > 1.5 * alone
    assert 'moorage_process_pss_bytes{process="worker"}' in metrics.text().decode()


def test_unregistered_figures_take_everything() -> None:
    LoopMetrics.unregistered().passed(full=True, seconds=1, failing=0)


def test_memory_and_age_of_a_process_that_is_gone_are_nothing() -> None:
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)

    assert (0, 0) == memory(gone)
    assert age(gone) == 0.0


def test_the_daemon_s_memory_is_that_of_its_processes() -> None:
    metrics = Metrics("one", "0")

    resident, proportional = memory(os.getpid())
    assert resident >= proportional > 1_000_000
    assert metrics.memory() > 1_000_000
    assert 'moorage_process_pss_bytes{process="one"}' in metrics.text().decode()


def test_ready_is_measured_from_the_start_of_the_process() -> None:
    metrics = Metrics("one", "0")
    metrics.ready()

    assert metrics.ready_seconds is not None
    assert 0 < metrics.ready_seconds <= age(os.getpid())
