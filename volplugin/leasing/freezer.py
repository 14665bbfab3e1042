"""Stops, ends and resumes processes by their cgroups, without Docker: on cgroup v1 (freezer) and v2 (cgroup.freeze).

Only what we stopped goes on again: what was stopped is noted in a file first, for the next guard.  A process in our own
cgroup, or one above it, is stopped alone by a signal.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

from volplugin import mountinfo
from volplugin.mountinfo import Mounted

PROC = Path("/proc")
V1, V2 = "freezer.state", "cgroup.freeze"


class Freezer:
    """Of one host; used by one process at a time."""

    def __init__(self, note: Path) -> None:
        """Go on from what the file `note` says was stopped."""
        self._note = note
        self._stopped: set[str] = set(note.read_text().splitlines()) if note.exists() else set()

    @property
    def stopped(self) -> frozenset[str]:
        """What is stopped: files of cgroups, and ids of processes."""
        return frozenset(self._stopped)

    def stop(self, pids: Iterable[int]) -> set[str]:
        """Stop processes with their whole cgroups; return what stands for them in `stopped`."""
        switches = {_switch(pid) or str(pid) for pid in pids}
        fresh = {switch for switch in switches - self._stopped if not _is_stopped(switch)}
        if fresh:
            self._write(self._stopped | fresh)
        for switch in fresh:
            _set(switch, on=True)
        return switches & self._stopped

    def kill(self, pids: Iterable[int]) -> None:
        """End processes, also those that are stopped: whoever stopped them."""
        self._write(self._stopped - kill(pids))

    def go_on(self, switches: Iterable[str]) -> None:
        """Let what was stopped go on."""
        gone = set(switches) & self._stopped
        for switch in gone:
            _set(switch, on=False)
        if gone:
            self._write(self._stopped - gone)

    def _write(self, stopped: set[str]) -> None:
        if stopped != self._stopped:
            new = self._note.with_suffix(".tmp")
            new.write_text("".join(f"{switch}\n" for switch in sorted(stopped)))
            new.rename(self._note)
            self._stopped = stopped


def kill(pids: Iterable[int]) -> set[str]:
    """End processes; return the files of their cgroups, which are let go on for that.

    On v1 a frozen process does not die, but does nothing else either once it thaws.
    """
    pids = list(pids)
    switches = {switch for pid in pids if (switch := _switch(pid)) is not None}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for switch in switches:
        _set(switch, on=False)
    return switches


def _switch(pid: int) -> str | None:
    """Return the file that stops a process's cgroup; None where it shares it with us, or has none."""
    group, own = _group(pid), _group(os.getpid())
    return None if group is None or (own is not None and own.is_relative_to(group.parent)) else str(group)


def _group(pid: int) -> Path | None:
    """Return the file that stops the cgroup of a process."""
    try:
        groups = (PROC / str(pid) / "cgroup").read_text()
    except OSError:
        return None
    found = switch_of(groups, mountinfo.mounts())
    return found if found is not None and found.exists() else None


def switch_of(groups: str, table: Sequence[Mounted]) -> Path | None:
    """Return the file that stops a process with these /proc/PID/cgroup, by the table of mounts; None: there is none."""
    named = {
        key: path for _, keys, path in (line.split(":", 2) for line in groups.splitlines()) for key in keys.split(",")
    }
    for mount in table:
        if mount.type == "cgroup" and "freezer" in mount.options and "freezer" in named:
            return _below(mount, named["freezer"], V1)
    for mount in table:
        if mount.type == "cgroup2" and "" in named:
            return _below(mount, named[""], V2)
    return None


def _below(mount: Mounted, group: str, file: str) -> Path | None:
    root = mount.root.rstrip("/")
    if not group.startswith(f"{root}/") or group in {root, "/"}:  # the root of all cannot be stopped
        return None
    return Path(mount.target, group.removeprefix(root).lstrip("/"), file)


def _is_stopped(switch: str) -> bool:
    """Say whether somebody else has stopped it: `docker pause`."""
    if switch.isdigit():
        return False
    with contextlib.suppress(OSError):
        return Path(switch).read_text().strip() not in {"THAWED", "0"}
    return False


def _set(switch: str, *, on: bool) -> None:
    with contextlib.suppress(OSError):  # it has ended
        if switch.isdigit():
            os.kill(int(switch), signal.SIGSTOP if on else signal.SIGCONT)
        elif switch.endswith(V1):
            Path(switch).write_text("FROZEN" if on else "THAWED")
        else:
            Path(switch).write_text("1" if on else "0")
