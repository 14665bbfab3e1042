"""A backend's worker process, as its callers see it: calls with deadlines, and a breaker when it hangs."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO, Any

import msgspec
import structlog

from volplugin.worker import STALE

COMMAND = (sys.executable, "-m", "volplugin.worker")
START_WITHIN = 60.0  # seconds for the process to start: that asks nothing of the backend, only of this host

ENDS_WITHIN = 1.0  # seconds: a process that is killed ends at once, unless the kernel holds it

log = structlog.get_logger()


class WorkerError(OSError):
    """What was asked for cannot be done; the text says why."""


class StaleError(WorkerError):
    """What is mounted there is dead, and must be mounted anew."""


class HungError(WorkerError):
    """The backend does not answer."""


class Worker:
    """One backend's process for what may block; calls from several threads wait for each other.

    After a call that was not answered in time the breaker is open: further calls fail at once, with the reason, until
    `retry` finds that the backend answers again.
    """

    def __init__(self, backend: str, command: Sequence[str] = COMMAND) -> None:
        self._backend = backend
        self._command = (*command, backend)  # the name is for those who look at the processes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up: list[subprocess.Popen[bytes]] = []  # killed, but maybe held by the kernel
        self._hung: tuple[float, str] | None = None  # since when (monotonic seconds), and what hung
        self._found = ""  # what is known of why

    @property
    def pid(self) -> int | None:
        """The process, where there is one now."""
        return process.pid if (process := self._process) is not None else None

    @property
    def problem(self) -> str | None:
        """Why calls fail at once now, or None."""
        if (hung := self._hung) is None:
            return None
        ago = f"{hung[1]} hung {time.monotonic() - hung[0]:.0f} s ago"
        return f"backend {self._backend} does not answer ({ago})" + (f"; {self._found}" if self._found else "")

    def call(self, verb: str, within: float, **arguments: Any) -> Any:
        """Return what `verb` answers within so many seconds.

        Raises:
            HungError: it did not, or the breaker is open.
            StaleError: what was mounted is dead.
            WorkerError: it cannot be done.

        """
        if (problem := self.problem) is not None:
            raise HungError(problem)
        return self._call(verb, within, arguments)

    def retry(self, verb: str, within: float, **arguments: Any) -> Any:
        """Call whatever the breaker says; an answer, also that it cannot be done, closes it.

        While a process that was given up still waits in the kernel, the backend hangs: no other is sent after it.
        """
        if self._held() and (problem := self.problem) is not None:
            raise HungError(problem)
        try:
            answer = self._call(verb, within, arguments)
        except HungError:
            raise
        except WorkerError:
            self.answers()
            raise
        self.answers()
        return answer

    def ask(self, verb: str, within: float, **arguments: Any) -> Any:
        """Call whatever the breaker says, and leave it as it is."""
        return self._call(verb, within, arguments)

    def answers(self) -> None:
        """Close the breaker."""
        if self._hung is not None:
            log.info("backend answers again", backend=self._backend)
        self._hung, self._found = None, ""

    def explain(self, found: str) -> None:
        """Note why the backend does not answer, for `problem`."""
        self._found = found

    def stop(self) -> None:
        """End the process; what is mounted stays."""
        with self._lock:
            self._abandon()

    def _held(self) -> bool:
        """Say whether a process that was killed has not ended: the kernel waits for the server on its behalf."""
        for process in self._given_up:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(ENDS_WITHIN)
        self._given_up = [process for process in self._given_up if process.returncode is None]
        return bool(self._given_up)

    def _call(self, verb: str, within: float, arguments: dict[str, Any]) -> Any:
        until = time.monotonic() + within
        if not self._lock.acquire(timeout=within):
            raise HungError(f"backend {self._backend} is busy: {verb} was not begun within {within:g} s")
        try:
            answer = self._exchange(_encoded(verb, arguments), until)
        except TimeoutError:
            self._abandon()
            self._hung = self._hung or (time.monotonic(), verb)
            log.warning("backend hung", backend=self._backend, verb=verb, seconds=within)
            raise HungError(f"backend {self._backend} does not answer ({verb} hung for {within:g} s)") from None
        finally:
            self._lock.release()
        if (error := answer.get("error")) is not None:
            raise StaleError(error) if answer.get("kind") == STALE else WorkerError(error)
        return answer.get("result")

    def _exchange(self, call: bytes, until: float) -> dict[str, Any]:
        if self._process is not None and self._process.poll() is not None:  # killed when it had nothing to do
            log.warning("worker had ended", backend=self._backend, status=self._process.returncode)
            self._abandon()
        if self._process is None:
            until += self._start()
        answer = self._asked(call, until)
        if not answer:
            self._abandon()
            raise WorkerError(f"the worker of backend {self._backend} ended; its log says why")
        return msgspec.json.decode(answer, type=dict[str, Any])

    def _start(self) -> float:
        """Start the process and return the seconds that took, which say nothing of the backend."""
        began = time.monotonic()
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self._asked(_encoded("start", {}), began + START_WITHIN)
        except TimeoutError:
            self._abandon()
            raise WorkerError(
                f"the worker of backend {self._backend} did not start within {START_WITHIN:g} s"
            ) from None
        return time.monotonic() - began

    def _asked(self, call: bytes, until: float) -> bytes:
        """Return the process's answer, or nothing where it has ended; raises TimeoutError."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
        with contextlib.suppress(BrokenPipeError):  # it has ended: there is no answer
            process.stdin.write(call)
            process.stdin.flush()
        return _line(process.stdout, until)

    def _abandon(self) -> None:
        """Kill the process without waiting: one that waits for a dead server ends when the kernel lets it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        self._given_up.append(process)
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # both are there
        threading.Thread(target=process.wait, name="reaper", daemon=True).start()


def _encoded(verb: str, arguments: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"verb": verb, "arguments": arguments}) + b"\n"


def _line(pipe: IO[bytes], until: float) -> bytes:
    """Return the next line, or nothing where the pipe has ended; raises TimeoutError."""
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TimeoutError
        if not (part := os.read(pipe.fileno(), 65536)):
            return b""
        line += part
    return line
