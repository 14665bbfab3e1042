"""A long-running process on a node, and what may happen to it."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from lab.command import wait_for

# Starts a process: $1 = file for its id, $2 = cgroup files to join, the rest = the command
SPAWN = 'for file in $2; do echo $$ > "$file"; done; echo $$ > "$1"; shift 2; exec "$@"'


class Machine(Protocol):
    """What a process needs of its node."""

    def enter(self) -> list[str]:
        """Return the words that run a command on it."""

    def succeeds(self, *argv: object) -> bool:
        """Run a command on it to its end, and return whether its status was 0."""

    def path(self, inside: str) -> Path:
        """Return where its file lies on the machine."""


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """A process that `start` started; `log` has its output."""

    machine: Machine
    name: str
    log: Path
    pid_file: Path
    outside: subprocess.Popen[bytes]  # nsenter, which has the process as its child

    @property
    def pid(self) -> int:
        """Process id on the node."""
        return int(self.pid_file.read_text())

    @property
    def code(self) -> int | None:
        """Exit status, or None while it runs."""
        return self.outside.poll()

    def alive(self) -> bool:
        """Return whether it runs (or is paused)."""
        return self.outside.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.alive():
            self.machine.succeeds("kill", f"-{int(number)}", self.pid)
            self.outside.send_signal(signal.SIGCONT)  # nsenter stops when its child does, and would not reap it

    def kill(self) -> None:
        """End it without a chance to say goodbye (SIGKILL)."""
        self.signal(signal.SIGKILL)
        self.outside.wait(30)

    def pause(self) -> None:
        """Hang: its sockets stay open, nothing answers."""
        self.machine.succeeds("kill", "-STOP", self.pid)

    def resume(self) -> None:
        """Undo `pause`."""
        self.signal(signal.SIGCONT)

    def stop(self, within: float = 15) -> int:
        """Ask it to end (SIGTERM), kill it after `within` seconds, and return its exit status."""
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.outside.wait(within)
        self.kill()
        return self.outside.wait()

    def tail(self, lines: int = 30) -> str:
        """Return the last lines of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(machine: Machine, name: str, argv: list[str], cgroup: list[Path], env: dict[str, str]) -> Process:
    """Start a command on `machine` in a session of its own (ctrl-C here does not reach it)."""
    inside = f"/run/lab/{name}.pid"
    pid_file, log = machine.path(inside), machine.path(f"/log/{name}")
    pid_file.unlink(missing_ok=True)
    words = [*machine.enter(), "sh", "-c", SPAWN, "spawn", inside, " ".join(map(str, cgroup)), *argv]
    with log.open("ab") as output:
        outside = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True
        )
    process = Process(machine, name, log, pid_file, outside)
    wait_for(f"{name} to start", lambda: (pid_file.exists() and pid_file.stat().st_size) or not process.alive())
    return process
