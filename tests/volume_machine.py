"""Machines for the volume plugin in tests: one of dictionaries, and a real one in a mount namespace of its own.

Both give what a keeper asks for: a table of mounts, and workers.  `Life` is one run of the daemon on such a machine:
when it has ended, nothing that is left of it has any effect, as after `kill -9`.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import msgspec

from lab.moorage import CHECKOUT
from tests.waiting import until as wait_until
from volplugin import mountinfo
from volplugin.mountinfo import Mounted
from volplugin.system.worker import Worker, WorkerError
from volplugin.worker import STALE

DISK = "8:1"


class KilledError(WorkerError):
    """What the daemon would have done now it does no more."""


class Life:
    """One run of the daemon; `die_at` is the number of the step at which it ends, counted from 0."""

    def __init__(self, die_at: int | None = None) -> None:
        self.ended = False
        self.steps = 0
        self.die_at = die_at
        self._lock = threading.Lock()

    def step(self) -> None:
        """Go on, or die here."""
        with self._lock:
            if self.die_at == self.steps:
                self.ended = True
            self.steps += 1
            if self.ended:
                raise KilledError("killed")


class Machine(Protocol):
    """What a keeper needs of a host, and what tests do to it."""

    directory: Path  # of mount points

    def mounts(self) -> list[Mounted]:
        """Return the table of mounts."""

    def worker(self, backend: str, life: Life) -> Worker:
        """Return a worker of a run of the daemon."""

    def source(self, name: str) -> str:
        """Return a directory for a local backend."""

    def look(self, path: str) -> bool:
        """Say whether there is a directory."""


class FakeMachine:
    """A disk and a table of mounts in memory.

    `hung` are backends that do not answer, `broken` what the others' verbs fail with, `dead` mount points whose file
    system answers no more, and `busy` those that cannot be unmounted, since somebody works in them.
    """

    def __init__(self, beside: FakeMachine | None = None) -> None:
        """Make a machine; with `beside` one that reaches the same storage as that one."""
        self.directory = Path("/var/lib/moorage/volumes")
        self.hung: set[str] = set()
        self.broken: dict[str, str] = {}  # backend or verb -> why
        self.dead: set[str] = set()
        self.busy: set[str] = set()
        self.calls: list[tuple[str, str]] = []  # backend, verb
        self._lock = threading.RLock()
        # path -> volume, or None where it is not one
        self._directories: dict[str, str | None] = beside._directories if beside is not None else {}
        self.epochs: dict[str, int] = beside.epochs if beside is not None else {}  # path -> of the newest lease
        self._table = [Mounted(DISK, "/", "/", "ext4", "/dev/sda1")]

    def mounts(self) -> list[Mounted]:
        with self._lock:
            return list(self._table)

    def worker(self, backend: str, life: Life) -> Worker:
        return _FakeWorker(backend, self, life)

    def source(self, name: str) -> str:
        with self._lock:
            self._directories[f"/srv/{name}"] = None
        return f"/srv/{name}"

    def look(self, path: str) -> bool:
        with self._lock:
            return path in self._directories

    def reboot(self) -> None:
        """Lose all mounts."""
        with self._lock:
            self._table = self._table[:1]
            self.dead.clear()
            self.busy.clear()

    def do(self, backend: str, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do what a worker is asked for."""
        with self._lock:
            self.calls.append((backend, verb))
            if backend in self.hung:
                raise TimeoutError
            if (why := self.broken.get(backend) or self.broken.get(verb)) is not None:
                return {"error": why}
            answer: dict[str, Any] = getattr(self, f"_{verb}")(**arguments)
            return answer

    def _mount(self, backend: dict[str, Any], target: str) -> dict[str, Any]:
        self._take(target)
        if backend["source"] not in self._directories:
            return {"error": f"{backend['source']} does not exist"}
        self._table.append(Mounted(DISK, backend["source"], target, "ext4", "/dev/sda1"))
        return {"result": None}

    def _unmount(self, target: str, *, detach: bool = False) -> dict[str, Any]:
        if target in self.busy and not detach:
            return {"error": f"{target} cannot be unmounted: Device or resource busy"}
        self._take(target)
        return {"result": None}

    def _alive(self, target: str) -> dict[str, Any]:
        if target in self.dead:
            return {"error": "Stale file handle: what was mounted there is dead", "kind": STALE}
        return {"result": {"total": 1000, "free": 500, "available": 400}}

    def _bind(self, share: str, path: str, target: str, mark: dict[str, Any] | None = None) -> dict[str, Any]:
        if share in self.dead:
            return {"error": "Stale file handle", "kind": STALE}
        source = str(PurePosixPath(self._root(share), path))
        if source not in self._directories:
            return {"error": f"its data is missing: there is no {path} on the backend"}
        assert mark is None or mark["epoch"] >= self.epochs.get(path, 0), "a lease of old came through"
        if mark is not None:
            self.epochs[path] = mark["epoch"]
        self._take(target)
        self._table.append(Mounted(DISK, source, target, "ext4", "/dev/sda1"))
        return {"result": None}

    def _probe(self, backend: dict[str, Any]) -> dict[str, Any]:
        return {"result": [{"what": "directory", "good": True, "found": backend["source"], "advice": ""}]}

    def _make(self, share: str, path: str, mark: dict[str, Any], **_: Any) -> dict[str, Any]:
        self._directories.setdefault(f"{self._root(share)}/{path}", mark["volume"])
        return {"result": {"size_by": None}}

    def _adopt(self, share: str, path: str, mark: dict[str, Any]) -> dict[str, Any]:
        at = f"{self._root(share)}/{path}"
        if self._directories.get(at, "") not in {None, mark["volume"]}:
            return {"error": f"there is no {path} on the backend"}
        self._directories[at] = mark["volume"]
        return {"result": None}

    def _forget(self, share: str, path: str, volume: str) -> dict[str, Any]:
        if self._directories.get(at := f"{self._root(share)}/{path}") == volume:
            self._directories[at] = None
        return {"result": None}

    def _rename(self, share: str, old: str, new: str, volume: str) -> dict[str, Any]:
        source, target = (f"{self._root(share)}/{path}" for path in (old, new))
        if self._directories.get(source) == volume:
            self._directories[target] = self._directories.pop(source)
        return {"result": {"missing": target not in self._directories}}

    def _delete(self, share: str, paths: list[str], volume: str, **_: Any) -> dict[str, Any]:
        deleted = 0
        for path in (f"{self._root(share)}/{path}" for path in paths):
            if self._directories.get(path) == volume:
                del self._directories[path]
                deleted += 1
        return {"result": {"done": True, "entries": deleted}}

    def _root(self, target: str) -> str:
        there = mountinfo.at(target, self._table)
        assert there is not None, f"{target} was not mounted when it was worked in"
        return there.root

    def _take(self, target: str) -> None:
        self._table = [mount for mount in self._table if mount.target != target]
        self.dead.discard(target)


class _FakeWorker(Worker):
    def __init__(self, backend: str, machine: FakeMachine, life: Life) -> None:
        super().__init__(backend)
        self._machine = machine
        self._life = life

    def _exchange(self, call: bytes, until: float) -> dict[str, Any]:  # what hangs does so at once
        asked = msgspec.json.decode(call)
        self._life.step()
        answer = self._machine.do(self._backend, asked["verb"], asked["arguments"])
        self._life.step()
        return answer


class RealMachine:
    """The kernel's mounts, in a namespace that ends with the process `init`; all below one directory."""

    def __init__(self, init: int, place: Path) -> None:
        self.init = init  # a process in its namespace
        self._place = place
        self.directory = place / "mounts"

    def mounts(self) -> list[Mounted]:
        return mountinfo.mounts(Path(f"/proc/{self.init}/mountinfo"))

    def worker(self, backend: str, life: Life) -> Worker:
        command = self.inside("env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", "volplugin.worker")
        return _NamespaceWorker(backend, command, life)

    def source(self, name: str) -> str:
        (self._place / name).mkdir()
        return str(self._place / name)

    def look(self, path: str) -> bool:
        return self.run("test", "-d", path, check=False) == ""

    def inside(self, *argv: str) -> tuple[str, ...]:
        """Return the command that runs a program there."""
        return ("nsenter", f"--mount=/proc/{self.init}/ns/mnt", *argv)

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a program there; return what it printed, or with its errors where it failed and `check` is false."""
        done = subprocess.run(self.inside(*argv), capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, f"{argv}: {done.stderr}"
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr + f"status {done.returncode}"


class _NamespaceWorker(Worker):
    def __init__(self, backend: str, command: tuple[str, ...], life: Life) -> None:
        super().__init__(backend, command)
        self._life = life

    def _exchange(self, call: bytes, until: float) -> dict[str, Any]:
        self._life.step()
        answer = super()._exchange(call, until)
        self._life.step()
        return answer


@contextlib.contextmanager
def real_machine(place: Path) -> Iterator[RealMachine]:
    """Make a mount namespace, from which nothing comes to this machine's own; it needs root."""
    init = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "cat"], stdin=subprocess.PIPE)
    own = Path("/proc/self/ns/mnt").readlink()
    try:
        wait_until(lambda: Path(f"/proc/{init.pid}/ns/mnt").readlink() != own)
        yield RealMachine(init.pid, place)
    finally:
        init.kill()
        init.communicate()
