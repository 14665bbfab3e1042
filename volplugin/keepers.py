"""The backends of this host: a keeper for each that is in the records."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from records.model import Backend, BackendId, Fence, Holder, Lease, Volume, VolumeId
from records.snapshot import Records
from records.store import Change
from volplugin.keeper import Keeper
from volplugin.mountinfo import Mounted


class Keepers:
    """Makes, finds and ends keepers, and tells each what of the records concerns it."""

    def __init__(self, make: Callable[[Backend], Keeper]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._keepers: dict[BackendId, Keeper] = {}

    def __iter__(self) -> Iterator[Keeper]:
        with self._lock:
            return iter(list(self._keepers.values()))

    def of(self, backend: Backend) -> Keeper:
        """Return the keeper of a backend; made, if need be."""
        with self._lock:
            if (keeper := self._keepers.get(backend.id)) is None:
                keeper = self._keepers[backend.id] = self._make(backend)
                keeper.start()
            return keeper

    def get(self, backend: BackendId) -> Keeper | None:
        """Return the keeper of a backend, if there is one."""
        with self._lock:
            return self._keepers.get(backend)

    def shown(self, volume: Volume) -> Mounted | None:
        """Return a volume as it is mounted on this host; None where nothing of its backend is."""
        keeper = self.get(volume.backend)
        return None if keeper is None else keeper.shown(volume)

    def notice(self, changes: Sequence[Change], records: Records) -> None:
        """Follow a change of the records; called by the store's thread, so it does not wait."""
        concerned: dict[BackendId, set[VolumeId]] = {}
        for change in changes:
            record = change.new or change.old
            if isinstance(record, Backend):
                self.of(record) if change.new is not None else self._end(record)
            elif isinstance(record, Volume):
                concerned.setdefault(record.backend, set()).add(record.id)
            elif (
                isinstance(record, Holder | Lease | Fence)
                and (volume := records.volumes.get(record.volume)) is not None
            ):
                concerned.setdefault(volume.backend, set()).add(volume.id)
        for backend, volumes in concerned.items():
            if (keeper := self.get(backend)) is not None:
                keeper.notice(volumes)

    def stop(self) -> None:
        """End them all."""
        with self._lock:
            keepers, self._keepers = list(self._keepers.values()), {}
        for keeper in keepers:
            keeper.stop()

    def _end(self, backend: Backend) -> None:
        with self._lock:
            keeper = self._keepers.pop(backend.id, None)
        if keeper is not None:
            keeper.retire()
