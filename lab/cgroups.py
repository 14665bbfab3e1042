"""The cgroups of one node, on cgroup v1 and v2: who is in them, freezing, CPU time, removal."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable
from pathlib import Path

from lab.command import wait_for

UNIFIED = "unified"  # our key for the cgroup v2 hierarchy
JOINED = ("freezer", "cpu", "cpuacct")  # of v1; never 'memory': the limits we run under stay in force


def hierarchies() -> dict[str, Path]:
    """Return the mount point of each v1 controller (v1's nameless hierarchies as `name=systemd`), and of v2."""
    points = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, options = line.split()[:4]
        if kind == "cgroup2":
            points[UNIFIED] = Path(point)
        elif kind == "cgroup":
            points.update(dict.fromkeys((o for o in options.split(",") if o not in {"rw", "relatime"}), Path(point)))
    return points


@dataclasses.dataclass(frozen=True, slots=True)
class Cgroup:
    """A cgroup of this name below each hierarchy's root; its processes are in the child `node` (v2 wants leaves)."""

    name: str

    def make(self) -> list[Path]:
        """Make it, and return the files that a process writes its id to, to join."""
        points = hierarchies()
        joined = [c for c in JOINED if c in points] if "freezer" in points else [UNIFIED]
        groups = [points[c] / self.name.lstrip("/") / "node" for c in joined]
        for group in groups:
            group.mkdir(parents=True, exist_ok=True)
        return [group / "cgroup.procs" for group in groups]

    def freeze(self, *, on: bool) -> None:
        """Stop every process in it, or let them go on.  Raises OSError where it does not exist."""
        if "freezer" in hierarchies():
            self._file("freezer", "freezer.state").write_text("FROZEN" if on else "THAWED")
        else:
            self._file(UNIFIED, "cgroup.freeze").write_text("1" if on else "0")

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have used so far."""
        if "cpuacct" in hierarchies():
            return int(self._file("cpuacct", "cpuacct.usage").read_text()) / 1e9
        stat = self._file(UNIFIED, "cpu.stat").read_text().split()
        return int(stat[stat.index("usage_usec") + 1]) / 1e6

    def remove(self, others: Iterable[str] = ()) -> None:
        """Remove it with those below it, and `others`, once their processes are gone.

        Raises:
            LabError: there are processes in them after 10 s.

        """
        with contextlib.suppress(OSError):
            self.freeze(on=False)  # a frozen process does not die before it thaws
        tops = [point / name.lstrip("/") for point in set(hierarchies().values()) for name in (self.name, *others)]
        wait_for(f"the processes of cgroup {self.name} to end", lambda: _removed(tops), 10)

    def remains(self) -> list[Path]:
        """Return the directories that are there of it."""
        return [p for point in set(hierarchies().values()) if (p := point / self.name.lstrip("/")).exists()]

    def _file(self, controller: str, name: str) -> Path:
        return hierarchies()[controller] / self.name.lstrip("/") / name


def _removed(tops: Iterable[Path]) -> bool:
    """Remove empty groups from each top downwards; return whether none is left."""
    for group in (g for top in tops for g in [*sorted(top.rglob("*/"), reverse=True), top]):
        with contextlib.suppress(OSError):
            group.rmdir()
    return not any(top.exists() for top in tops)
