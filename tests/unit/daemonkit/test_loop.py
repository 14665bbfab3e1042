import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from daemonkit.loop import EVERYTHING, Key, Layer, Loop
from tests.unit.daemonkit.world import FromMapping, Plan, System

WITHIN = 5.0


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():  # rendering a trace takes longer than some of these tests wait
        yield


class Daemon:
    """A loop over two layers, `low` and `high`."""

    def __init__(self, *, resync: float = 1000.0, patience: float = 0.0) -> None:
        self.plan: Plan = {"low": {}, "high": {}}
        self.journal: list[str] = []
        self.low, self.high = System(self.journal, "low-"), System(self.journal, "high-")
        self.source: Callable[[], Plan] = lambda: {layer: dict(keys) for layer, keys in self.plan.items()}
        layers: list[Layer[Plan, Any, Any]] = [
            Layer("low", FromMapping("low"), self.low, patience=patience),
            Layer("high", FromMapping("high"), self.high, patience=patience),
        ]
        self.loop = Loop(layers, lambda: self.source(), resync=resync)  # noqa: PLW0108  # tests replace it

    def start(self) -> None:
        self.loop.start()
        eventually(lambda: bool(self.high.reads))
        assert self.settle() == {}

    def settle(self, *keys: Key, within: float = WITHIN) -> Mapping[Key, str]:
        return self.loop.settle(keys, time.monotonic() + within)


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon()
    yield daemon
    daemon.low.gate.set()
    daemon.high.gate.set()
    daemon.loop.stop()


def test_it_begins_with_a_full_pass_that_creates_changes_and_deletes(daemon: Daemon) -> None:
    daemon.plan["low"] = {"a": 1, "b": 2}
    daemon.low.there = {"b": 1, "c": 3}
    before = daemon.loop.in_sync
    daemon.start()

    assert {"a": 1, "b": 2} == daemon.low.there
    assert (False, True) == (before, daemon.loop.in_sync)


def test_creation_runs_in_the_order_of_layers_and_deletion_in_reverse_and_first(daemon: Daemon) -> None:
    daemon.plan = {"low": {"a": 1}, "high": {"a": 1}}
    daemon.low.there, daemon.high.there = {"b": 1}, {"b": 1}
    daemon.start()

    assert ["delete high-b", "delete low-b", "create low-a", "create high-a"] == daemon.journal


def test_settle_answers_when_its_keys_are_as_they_should_be(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"]["a"] = 1

    assert {} == daemon.settle(("low", "a"))
    assert {"a": 1} == daemon.low.there


def test_a_pass_over_a_key_looks_at_that_key_only(daemon: Daemon) -> None:
    daemon.start()
    daemon.low.there["stray"] = 1
    daemon.plan["low"]["a"] = 1
    daemon.settle(("low", "a"))

    assert {"a": 1, "stray": 1} == daemon.low.there
    assert daemon.low.reads[-1] == frozenset({"a"})
    assert len(daemon.high.reads) == 1


def test_a_full_pass_that_somebody_asks_for_finds_drift(daemon: Daemon) -> None:
    daemon.start()
    daemon.low.there["stray"] = 1
    daemon.loop.poke()

    eventually(lambda: not daemon.low.there)


def test_drift_is_found_without_anybody_asking() -> None:
    daemon = Daemon(resync=0.05)
    daemon.start()
    daemon.low.there["stray"] = 1

    eventually(lambda: not daemon.low.there)
    daemon.loop.stop()


def test_a_failure_is_told_to_who_waits_for_the_key_and_to_no_other(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"] = {"good": 1, "bad": 1}
    daemon.low.refused["bad"] = "no such device"
    daemon.loop.poke([("low", "bad")])

    began = time.monotonic()
    assert {} == daemon.settle(("low", "good"))
    assert time.monotonic() - began < 1
    assert {("low", "bad"): "no such device"} == daemon.settle(("low", "bad"), within=0.2)


def test_a_failing_key_is_tried_again_by_itself_and_who_waits_gets_its_success(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"]["a"] = 1
    daemon.low.refused["a"] = "busy"
    threading.Timer(0.3, daemon.low.refused.clear).start()

    assert {} == daemon.settle(("low", "a"))
    assert {} == daemon.loop.failures()


def test_a_failure_says_since_when_and_how_often(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"]["a"] = 1
    daemon.low.refused["a"] = "busy"
    daemon.loop.poke([("low", "a")])
    eventually(lambda: any(f.tries >= 3 for f in daemon.loop.failures().values()))

    status = daemon.loop.status()
    (failing,) = status["failures"]
    assert ("low", "a", "busy") == (failing["layer"], failing["key"], failing["reason"])
    assert failing["tries"] >= 3
    assert failing["seconds"] > 0.1
    assert status["in_sync"]


def test_the_failure_of_a_key_that_is_no_longer_planned_is_forgotten(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"]["a"] = 1
    daemon.low.refused["a"] = "busy"
    daemon.loop.poke([("low", "a")])
    eventually(lambda: bool(daemon.loop.failures()))
    del daemon.plan["low"]["a"]

    eventually(lambda: not daemon.loop.failures())


def test_who_is_impatient_gets_the_first_failure_without_waiting_for_a_repetition(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"] = {"bad": 1}
    daemon.low.refused = {"bad": "no such device"}

    failed = daemon.loop.settle([("low", "bad")], time.monotonic() + 60, patient=False)

    assert {("low", "bad"): "no such device"} == failed


def test_a_layer_that_cannot_be_read_fails_its_waiters_and_no_other_layer_s(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan = {"low": {"a": 1}, "high": {"a": 1}}
    daemon.low.dead = "no connection"
    daemon.loop.poke()  # so that the waiters' keys are seen by a full pass

    assert {("low", "a"): "no connection"} == daemon.settle(("low", "a"), ("high", "a"), within=0.3)
    assert {"a": 1} == daemon.high.there
    assert "no connection" == daemon.loop.failures()["low", EVERYTHING].reason


def test_a_layer_that_can_be_read_again_is_brought_to_the_plan_without_anybody_asking(daemon: Daemon) -> None:
    daemon.low.dead = "no connection"
    daemon.plan["low"]["a"] = 1
    daemon.loop.start()
    eventually(lambda: bool(daemon.loop.failures()))
    before = daemon.loop.in_sync
    reads = len(daemon.high.reads)
    daemon.low.dead = None

    eventually(lambda: daemon.low.there == {"a": 1})
    eventually(lambda: not daemon.loop.failures())
    assert (False, True) == (before, daemon.loop.in_sync)
    assert reads == len(daemon.high.reads)  # the layer that was well is left in peace


def test_records_that_cannot_be_read_stop_nothing_for_ever(daemon: Daemon) -> None:
    daemon.start()
    well = daemon.source

    def away() -> Plan:
        raise RuntimeError("no snapshot")

    daemon.source = away
    daemon.plan["low"]["a"] = 1
    assert {("low", "a"): "no snapshot"} == daemon.settle(("low", "a"), within=0.05)
    daemon.source = well

    assert {} == daemon.settle(("low", "a"))


def test_a_planner_s_bug_stays_with_its_key_and_what_is_there_of_it_is_left_alone(daemon: Daemon) -> None:
    daemon.low.there = {"bug": 7, "stray": 1}
    daemon.plan["low"] = {"bug": -1, "good": 1}
    daemon.loop.start()

    eventually(lambda: daemon.low.there == {"bug": 7, "good": 1})
    assert {("low", "bug"): "cannot plan bug"} == daemon.settle(("low", "bug"), ("low", "good"), within=0.1)


def test_an_actuator_s_bug_stays_with_its_key(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"] = {"a": 1, "poison": 1, "b": 1}
    daemon.low.poison = {"poison"}
    daemon.loop.poke()

    assert {} == daemon.settle(("low", "a"), ("low", "b"))
    assert {("low", "poison"): "poison"} == daemon.settle(("low", "poison"), within=0.1)


def test_a_dead_system_is_not_asked_key_by_key(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"] = {"a": 1, "b": 1}
    daemon.low.broken = "connection lost"
    keys: list[Key] = [("low", "a"), ("low", "b")]
    before = len(daemon.low.applied)

    assert dict.fromkeys(keys, "connection lost") == daemon.settle(*keys, within=0.05)
    assert len(daemon.low.applied) == before + 1


def test_who_is_not_reached_in_time_is_told_so(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"]["slow"] = 1
    daemon.low.gate.clear()
    daemon.loop.poke([("low", "slow")])
    assert daemon.low.entered.wait(WITHIN)

    assert {("high", "a"): "not reached in time"} == daemon.settle(("high", "a"), within=0.05)


def test_a_poke_during_a_pass_is_served_by_the_next(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"]["a"] = 1
    daemon.low.gate.clear()
    daemon.loop.poke([("low", "a")])
    assert daemon.low.entered.wait(WITHIN)
    daemon.plan["low"]["a"] = 2  # after the pass took its snapshot
    threading.Timer(0.05, daemon.low.gate.set).start()

    assert {} == daemon.settle(("low", "a"))
    assert {"a": 2} == daemon.low.there


def test_many_waiters_are_each_answered_for_their_own_keys(daemon: Daemon) -> None:
    daemon.start()
    answers: dict[int, Mapping[Key, str]] = {}
    daemon.low.refused = {f"k{n}": f"reason {n}" for n in range(0, 40, 2)}

    def one(n: int) -> None:
        daemon.plan["low"] = {**daemon.plan["low"], f"k{n}": 1}
        answers[n] = daemon.settle(("low", f"k{n}"), within=0.5)

    daemon.plan["low"] = {f"k{n}": 1 for n in range(40)}
    threads = [threading.Thread(target=one, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {n: {} if n % 2 else {("low", f"k{n}"): f"reason {n}"} for n in range(40)} == answers


def test_stopping_frees_who_waits(daemon: Daemon) -> None:
    daemon.start()
    daemon.plan["low"]["a"] = 1
    daemon.low.refused["a"] = "busy"
    threading.Timer(0.1, daemon.loop.stop).start()
    began = time.monotonic()

    assert {("low", "a"): "busy"} == daemon.settle(("low", "a"), within=60)
    assert time.monotonic() - began < 5
    assert {("low", "a"): "the daemon is stopping"} == daemon.settle(("low", "a"))


def test_patient_deletions_wait_for_company_and_nobody_waits_for_them() -> None:
    daemon = Daemon(patience=0.2)
    daemon.low.there = {"a": 1, "b": 1}
    daemon.plan["low"] = {"a": 1, "b": 1}
    daemon.start()
    del daemon.plan["low"]["a"]
    began = time.monotonic()
    assert {} == daemon.settle(("low", "a"))
    assert {"a": 1, "b": 1} == daemon.low.there
    del daemon.plan["low"]["b"]
    daemon.loop.poke([("low", "b")])

    eventually(lambda: not daemon.low.there)
    assert time.monotonic() - began >= 0.15
    assert [{"a": 1, "b": 1}] == [dict(change.delete) for change in daemon.low.applied]
    daemon.loop.stop()


def test_a_key_that_is_planned_again_while_its_deletion_waits_is_kept() -> None:
    daemon = Daemon(patience=0.1)
    daemon.plan["low"] = {"a": 1}
    daemon.start()
    del daemon.plan["low"]["a"]
    daemon.settle(("low", "a"))
    daemon.plan["low"]["a"] = 1
    daemon.settle(("low", "a"))
    time.sleep(0.2)  # longer than its patience

    assert ["create low-a"] == daemon.journal
    daemon.loop.stop()


def test_a_patient_deletion_that_failed_is_tried_again_without_a_second_wait_and_without_a_storm() -> None:
    daemon = Daemon(patience=0.05)
    daemon.plan["low"] = {"a": 1}
    daemon.start()
    daemon.low.refused["a"] = "busy"
    del daemon.plan["low"]["a"]
    daemon.loop.poke([("low", "a")])
    eventually(lambda: bool(daemon.loop.failures()))
    reads = len(daemon.low.reads)
    eventually(lambda: any(f.tries >= 3 for f in daemon.loop.failures().values()))

    assert len(daemon.low.reads) - reads <= 4
    daemon.low.refused.clear()
    eventually(lambda: not daemon.low.there and not daemon.loop.failures())
    daemon.loop.stop()


def test_deletions_come_to_pass_though_the_loop_never_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemonkit.loop.CROWD", 0.1)
    daemon = Daemon(patience=0.05)
    daemon.plan["low"] = {"a": 1}
    daemon.start()
    daemon.plan["low"] = {}
    daemon.loop.poke([("low", "a")])
    resting = threading.Event()

    def busy() -> None:
        while not resting.is_set():
            daemon.loop.poke([("high", "x")])

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        eventually(lambda: not daemon.low.there)
    finally:
        resting.set()
        thread.join()
        daemon.loop.stop()


def test_a_failure_is_logged_once_for_all_keys_of_one_reason_and_again_when_all_is_well(daemon: Daemon) -> None:
    daemon.start()
    with capture_logs() as logs:
        daemon.plan["low"] = {f"k{n}": 1 for n in range(30)}
        daemon.low.broken = "connection lost"
        daemon.loop.poke()
        eventually(lambda: len(daemon.loop.failures()) == 30)
        daemon.low.broken = None
        eventually(lambda: not daemon.loop.failures())

    failing = [event for event in logs if event["event"] == "failing"]
    assert [("low", "connection lost", 30)] == [(e["layer"], e["reason"], e["count"]) for e in failing]
    assert sum(event["count"] for event in logs if event["event"] == "well again") == 30
