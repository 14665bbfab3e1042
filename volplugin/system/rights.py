"""The actuator of a backend's leases on this host: given back when nothing is mounted any more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import structlog

from daemonkit.diff import Diff
from records.errors import Conflict, RecordsError
from records.model import BackendId, VolumeId
from records.store import Store
from records.writes import Delete
from volplugin.leasing.table import Terms
from volplugin.plan.rights import Right, right, rights

log = structlog.get_logger()


class Rights:
    """Leases that this host has, and fences against it."""

    def __init__(
        self,
        store: Store,
        host: str,
        backend: BackendId,
        terms: Terms | None,
        mounted: Callable[[VolumeId], Path | None],
    ) -> None:
        """`mounted` says where a volume is mounted still."""
        self._store = store
        self._host = host
        self._backend = backend
        self._terms = terms
        self._mounted = mounted

    def read(self, keys: Collection[VolumeId] | None) -> Mapping[VolumeId, Right]:
        """See `daemonkit.layer.Actuator`."""
        records = self._store.snapshot()
        if keys is None:
            return rights(records, self._host, self._backend)
        volumes = (records.volumes.get(key) for key in keys)
        found = {v.id: right(records, v, self._host) for v in volumes if v is not None and v.backend == self._backend}
        return {key: value for key, value in found.items() if value is not None}

    def apply(self, change: Diff[VolumeId, Right]) -> Mapping[VolumeId, str]:
        """See `daemonkit.layer.Actuator`."""
        return {volume: why for volume, had in change.delete.items() if (why := self._end(volume, had)) is not None}

    def _end(self, volume: VolumeId, had: Right) -> str | None:
        """Give a lease back and take away the fences; return why that must wait."""
        if (at := self._mounted(volume)) is not None:
            return f"{at} is still mounted: nobody else may have the volume before it is not"
        ended = [record for record in (had.lease, *had.fences) if record is not None]
        try:
            self._store.commit([Delete(record) for record in ended])
        except Conflict:  # it is looked at again when that change arrives
            return None
        except RecordsError as error:
            return str(error)
        if self._terms is not None:
            self._terms.forget(volume, had.lease.epoch if had.lease is not None else None)
        log.info("lease ended", volume=str(volume), fences=len(had.fences))
        return None
