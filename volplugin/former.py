"""What a backend that is no more has left on this host: mounts and their directories, taken away bit by bit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from volplugin import namespaces
from volplugin.mountinfo import Mounted
from volplugin.plan.share import SHARE
from volplugin.system.binds import volume_of
from volplugin.system.shares import UNMOUNT_WITHIN, Mounts
from volplugin.system.worker import HungError, Worker, WorkerError

AGAIN = 10.0  # seconds until the next look at what a container has, or what does not answer

log = structlog.get_logger()


class Former:
    """The directory of one former backend: the share and the volumes below it are unmounted, empty directories removed.

    What a container has stays until it has ended; nothing but empty directories is ever removed.
    """

    def __init__(
        self,
        directory: Path,
        worker: Worker,
        mounts: Mounts,
        back: Callable[[], bool],
        seen: Callable[[Mounted], int] = namespaces.seen,
    ) -> None:
        """`back` says whether there is a backend of that name again, whose keeper has all that is left."""
        self._directory = directory
        self._worker = worker
        self._mounts = mounts
        self._back = back
        self._seen = seen
        self._told: set[str] = set()

    def start(self, after: Callable[[], None] = lambda: None) -> None:
        """Do `after`, and then begin; nobody waits for the thread, which may wait for a dead server."""
        name = f"former {self._directory.name}"
        threading.Thread(target=self._run, args=(after,), name=name, daemon=True).start()

    def _run(self, after: Callable[[], None]) -> None:
        after()
        while not self.sweep():
            time.sleep(AGAIN)
        self._worker.stop()

    def sweep(self) -> bool:
        """Take away what may be taken away; return whether there is nothing more to do."""
        table = self._mounts()
        stay = [place for place in self._places(table) if not self._take(place, table)]
        if stay:
            return False
        if not self._back():
            try:
                self._directory.rmdir()  # of the host's own disk: no server is asked
            except FileNotFoundError:
                pass
            except OSError as error:
                self._tell(self._directory, error.strerror or str(error))
        return True

    def _places(self, table: Sequence[Mounted]) -> list[Path]:
        """Return the mount points that were ours, mounted or not; that of the share, which others need, is the last."""
        try:
            found = set(self._directory.iterdir())  # no more than names: what is mounted there is not asked
        except OSError:
            found = set()
        found |= {at for mount in table if (at := Path(mount.target)).parent == self._directory}
        ours = [at for at in found if at.name == SHARE or volume_of(at.name) is not None]
        return sorted(ours, key=lambda at: (at.name == SHARE, at.name))

    def _take(self, place: Path, table: Sequence[Mounted]) -> bool:
        """Take one away; return whether it is gone, or nothing more can be done for it."""
        if self._back():
            return True
        there = [mount for mount in table if mount.target == str(place)]
        if any(map(self._seen, there)):
            self._tell(place, "a container has it")
            return False
        try:
            self._worker.retry("unmount", UNMOUNT_WITHIN, target=str(place), detach=True)
        except HungError as error:
            self._tell(place, str(error))
            return False
        except WorkerError as error:
            self._tell(place, str(error))
            return True
        log.info("left by a former backend, removed", path=str(place))
        return True

    def _tell(self, place: Path, why: str) -> None:
        if str(place) not in self._told:
            self._told.add(str(place))
            log.warning("left by a former backend, stays", path=str(place), reason=why)
