"""`python -m volplugin.leasing.guard FILE BOOT`: stops the containers of volumes whose lease was not renewed in time.

A process of its own, which outlives the daemon: one that hangs or was killed cannot stop anybody.  It reads the leases
that the daemon notes, looks at the clock, and touches neither network nor storage: nothing that it waits for can hang.
It ends when there are no leases; of two the second one ends at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from daemonkit import log as logs
from records.model import VolumeId
from volplugin import mountinfo
from volplugin.leasing.freezer import Freezer
from volplugin.leasing.table import Term, read
from volplugin.leasing.terms import Step, step
from volplugin.mountinfo import Mounted
from volplugin.namespaces import users

TICK = 0.25  # seconds between looks at the clock

log = structlog.get_logger()


class Guard:
    """What it knows of volumes whose containers may have to be stopped."""

    def __init__(self, freezer: Freezer, flush: Callable[[str], None]) -> None:
        """`flush` has what was written to a mount point sent to its server, without waiting for it."""
        self._freezer = freezer
        self._flush = flush
        self._mounted: dict[VolumeId, Mounted] = {}  # as it was seen last: a look that finds nothing forgets nothing
        self._steps: dict[VolumeId, Step] = {}

    def look(self, terms: dict[VolumeId, Term], now: float) -> None:
        """Do for each volume what its lease's age asks for."""
        steps = {volume: step(term.confirmed, term.seconds, now) for volume, term in terms.items()}
        for volume, change in steps.items():
            if change != self._steps.get(volume, Step.GO_ON):
                log.warning(_EVENTS[change], volume=str(volume), lease_seconds=terms[volume].seconds)
        self._remember(terms)
        stopped: set[str] = set()
        for volume, todo in steps.items():
            if todo > Step.GO_ON and (there := self._mounted.get(volume)) is not None:
                stopped |= self._stop(there, todo, first=todo != self._steps.get(volume))
        self._freezer.go_on(self._freezer.stopped - stopped)
        self._steps = steps

    def _remember(self, terms: dict[VolumeId, Term]) -> None:
        table = mountinfo.mounts()
        seen = {volume: there for volume, term in terms.items() if (there := mountinfo.at(term.target, table))}
        self._mounted = {key: there for key, there in self._mounted.items() if key in terms} | seen

    def _stop(self, there: Mounted, todo: Step, *, first: bool) -> set[str]:
        using = users(there)
        if todo is Step.KILL:
            if using:
                log.warning("containers killed", target=there.target, processes=len(using))
            self._freezer.kill(using)
            return set()
        stopped = self._freezer.stop(using)
        if first:
            self._flush(there.target)
        return stopped


_EVENTS = {
    Step.GO_ON: "lease renewed again: its containers go on",
    Step.FREEZE: "lease not renewed: its containers are frozen",
    Step.KILL: "lease not renewed, or lost: its containers are killed",
}


def main() -> None:
    """Guard until there are no leases."""
    file, boot = Path(sys.argv[1]), sys.argv[2]
    logs.configure("info", "auto", "moorage-volplugin-guard")
    with file.with_suffix(".guard").open("w") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        with contextlib.suppress(OSError):  # the last one to be killed where memory is short
            Path("/proc/self/oom_score_adj").write_text("-999")
        guard = Guard(Freezer(file.with_suffix(".frozen")), _flush)
        while terms := read(file, boot):
            guard.look(terms, time.clock_gettime(time.CLOCK_BOOTTIME))
            time.sleep(TICK)
        guard.look({}, 0.0)


def _flush(target: str) -> None:
    """Have a child do it, which may hang."""
    if os.fork() == 0:
        if os.fork() == 0:
            os.execvp("sync", ["sync", "-f", target])  # noqa: S606  # no shell
        os._exit(0)
    os.wait()


if __name__ == "__main__":
    main()
