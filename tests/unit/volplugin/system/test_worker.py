import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from volplugin.system.worker import HungError, StaleError, Worker, WorkerError


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker("disk")
    yield made
    made.stop()


def pid(worker: Worker) -> int:
    process = worker._process
    assert process is not None
    return process.pid


def test_a_call_is_answered_by_another_process(worker: Worker, tmp_path: Path) -> None:
    size = worker.call("alive", 20, target=str(tmp_path))

    assert size["total"] >= size["free"] >= size["available"]
    assert pid(worker) != os.getpid()


def test_what_cannot_be_done_is_told_and_the_process_goes_on(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="nothing: No such file or directory"):
        worker.call("alive", 20, target=f"{tmp_path}/nothing")
    first = pid(worker)

    worker.call("alive", 20, target=str(tmp_path))

    assert first == pid(worker)


def test_one_that_does_not_answer_is_abandoned_and_further_calls_fail_at_once(worker: Worker, tmp_path: Path) -> None:
    worker.call("alive", 20, target=str(tmp_path))
    os.kill(pid(worker), signal.SIGSTOP)

    with pytest.raises(HungError, match=r"backend disk does not answer \(alive hung for 0\.2 s\)"):
        worker.call("alive", 0.2, target=str(tmp_path))

    began = time.monotonic()
    with pytest.raises(HungError, match="backend disk does not answer"):
        worker.call("alive", 60, target=str(tmp_path))
    assert time.monotonic() - began < 30
    assert worker._process is None


def test_an_answer_to_a_retry_closes_the_breaker(worker: Worker, tmp_path: Path) -> None:
    worker.call("alive", 20, target=str(tmp_path))
    os.kill(pid(worker), signal.SIGSTOP)
    with contextlib.suppress(HungError):
        worker.call("alive", 0.1, target=str(tmp_path))

    worker.retry("alive", 20, target=str(tmp_path))

    assert worker.problem is None
    worker.call("alive", 20, target=str(tmp_path))


class Held(subprocess.Popen[bytes]):
    """A process that is held by the kernel, and does not end when it is killed."""

    def __init__(self) -> None:
        self.returncode = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        return self.returncode


def test_no_process_is_sent_after_one_that_the_kernel_holds(worker: Worker, tmp_path: Path) -> None:
    held = Held()
    worker._given_up, worker._hung = [held], (time.monotonic(), "alive")

    with pytest.raises(HungError, match="backend disk does not answer"):
        worker.retry("alive", 20, target=str(tmp_path))

    assert worker._process is None
    held.returncode = -9
    worker.retry("alive", 20, target=str(tmp_path))
    assert worker.problem is None


def test_an_answer_that_it_cannot_be_done_is_an_answer_too(worker: Worker, tmp_path: Path) -> None:
    worker._hung = (time.monotonic(), "mount")

    with pytest.raises(WorkerError):
        worker.retry("alive", 20, target=f"{tmp_path}/nothing")

    assert worker.problem is None


def test_that_one_was_killed_which_had_nothing_to_do_is_unnoticed_by_the_next_call(
    worker: Worker, tmp_path: Path
) -> None:
    worker.call("alive", 20, target=str(tmp_path))
    killed = pid(worker)
    os.kill(killed, signal.SIGKILL)
    os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)

    worker.call("alive", 20, target=str(tmp_path))

    assert killed != pid(worker)


def test_one_that_is_killed_at_work_is_told_and_the_next_call_has_a_new_one(worker: Worker, tmp_path: Path) -> None:
    worker.call("alive", 20, target=str(tmp_path))
    killed = pid(worker)
    os.kill(killed, signal.SIGSTOP)
    timer = threading.Timer(0.2, os.kill, (killed, signal.SIGKILL))
    timer.start()

    with pytest.raises(WorkerError, match="the worker of backend disk ended"):
        worker.call("alive", 20, target=str(tmp_path))
    worker.call("alive", 20, target=str(tmp_path))
    timer.join()


def test_a_call_that_waits_for_another_one_waits_no_longer_than_it_may(worker: Worker, tmp_path: Path) -> None:
    with worker._lock, pytest.raises(HungError, match=r"backend disk is busy: alive was not begun within 0\.1 s"):
        worker.call("alive", 0.1, target=str(tmp_path))


def test_a_dead_mount_is_told_apart_from_what_cannot_be_done(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_exchange", lambda _call, _until: {"error": "Stale file handle", "kind": "gone"})

    with pytest.raises(StaleError, match="Stale file handle"):
        worker.call("alive", 20, target="/")


SLOW = "import runpy, time; time.sleep(0.5); runpy.run_module('volplugin.worker', run_name='__main__')"


def test_a_process_that_starts_slowly_is_not_taken_for_a_backend_that_hangs(tmp_path: Path) -> None:
    slow = Worker("disk", [sys.executable, "-c", SLOW])

    assert slow.call("alive", 0.4, target=str(tmp_path))["total"]
    assert slow.problem is None
    slow.stop()


def test_a_process_that_does_not_start_is_told_and_is_not_taken_for_a_backend_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("volplugin.system.worker.START_WITHIN", 0.1)
    never = Worker("disk", ["sh", "-c", "exec sleep 60"])

    with pytest.raises(WorkerError, match=r"the worker of backend disk did not start within 0\.1 s"):
        never.call("alive", 20, target=str(tmp_path))
    assert never.problem is None
    assert never._process is None
