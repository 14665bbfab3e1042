"""Docker's VolumeDriver: each call writes its record, and where its answer needs the system, waits for the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from daemonkit.errors import Failed
from records.errors import RecordsError, Unavailable
from records.model import Backend, Volume
from records.snapshot import Records
from records.store import Store
from volplugin import mountinfo, wire
from volplugin.doubts import Doubts
from volplugin.holders import Holders
from volplugin.keeper import Keeper, soon
from volplugin.keepers import Keepers
from volplugin.mountinfo import Mounted
from volplugin.told import Live, told
from volplugin.volumes import Volumes, find

# Docker gives Create and Mount 120 s and the others 60 (PROTOCOL rule 30).
CREATE_WITHIN, MOUNT_WITHIN, UNMOUNT_WITHIN = 60.0, 90.0, 20.0  # seconds
BIND_WITHIN = 30.0  # seconds of it that are left when a lease has been waited for

log = structlog.get_logger()


class VolumeDriver:
    """What dockerd calls; from any thread."""

    def __init__(
        self,
        store: Store,
        volumes: Volumes,
        holders: Holders,
        keepers: Keepers,
        doubts: Doubts,
        *,
        mounts: Callable[[], Sequence[Mounted]] = mountinfo.mounts,
    ) -> None:
        self._store = store
        self._volumes = volumes
        self._holders = holders
        self._keepers = keepers
        self._doubts = doubts
        self._mounts = mounts

    def activated(self) -> None:
        """Note that a new dockerd has come up: Unmounts of what its predecessor held may never come."""
        log.info("dockerd came up")
        self._doubts.activated()

    def create(self, name: str, given: dict[str, str]) -> None:
        """Make a volume, with its directory at the backend; one that exists stays as it is."""
        volume = self._volumes.create(name, given)
        keeper = self._keeper(self._store.snapshot(), volume)
        problem = keeper.bring("chores", volume.id, soon(CREATE_WITHIN))
        if problem is not None:
            self._volumes.give_up(volume)
            raise Failed(f"volume {name}: {problem}")
        log.info("volume created", volume=name, backend=keeper.backend.name, path=volume.path)

    def remove(self, name: str) -> None:
        """Remove a volume that nobody uses; what becomes of its data, its `retain` says."""
        self._volumes.remove(name)

    def get(self, name: str) -> wire.Volume:
        """Tell of a volume, from memory."""
        records = self._store.snapshot()
        return self._told(records, find(records, name), self._mounts())

    def list(self) -> list[wire.Volume]:
        """Tell of all volumes, from memory."""
        records = self._store.snapshot()
        there = sorted((v for v in records.volumes if not v.removed), key=lambda v: v.name)
        table = self._mounts()
        return [self._told(records, volume, table) for volume in there]

    def path(self, name: str) -> str:
        """Return where the volume is mounted on this host; empty where it is not."""
        return self.get(name).mountpoint

    def mount(self, name: str, mount: str) -> str:
        """Mount a volume for a container, and return where."""
        until = soon(MOUNT_WITHIN)
        self._doubts.catch_up()
        try:
            volume = self._holders.hold(name, mount, until - BIND_WITHIN)
        except Unavailable:  # it may have taken effect, and no Unmount follows an error
            self._doubts.owe(name, mount)
            raise
        keeper = self._keeper(self._store.snapshot(), volume)
        problem = keeper.bring("binds", volume.id, until)
        if problem is None and (at := keeper.mountpoint(volume.id, self._mounts())):
            return at
        self._release(name, mount)
        raise Failed(f"volume {name}: {problem or 'it was unmounted meanwhile; please try again'}")

    def unmount(self, name: str, mount: str) -> None:
        """Take a container's use back; the volume is unmounted when it was the last one of the host."""
        volume = self._release(name, mount)
        if volume is None:
            return
        keeper = self._keeper(self._store.snapshot(), volume)
        if (problem := keeper.bring("binds", volume.id, soon(UNMOUNT_WITHIN))) is not None:
            log.warning("not unmounted yet", volume=name, reason=problem)

    def _release(self, name: str, mount: str) -> Volume | None:
        """Take a use back, now or as soon as the records can be changed: Docker does not ask twice."""
        try:
            self._doubts.catch_up()
            return self._holders.release(name, mount, self._doubts.runs)
        except RecordsError:
            self._doubts.owe(name, mount)
            raise

    def _told(self, records: Records, volume: Volume, table: Sequence[Mounted]) -> wire.Volume:
        keeper = self._keepers.get(volume.backend)
        if keeper is None:
            return told(records, volume, Live())
        at, used = keeper.mountpoint(volume.id, table), keeper.used.get(volume.id)
        return told(records, volume, Live(at, keeper.problem, keeper.size, used))

    def _keeper(self, records: Records, volume: Volume) -> Keeper:
        backend: Backend | None = records.backends.get(volume.backend)
        if backend is None:
            raise Failed(f"volume {volume.name}: its backend is gone from the records")
        return self._keepers.of(backend)
