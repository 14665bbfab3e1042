"""The actuator of a backend's leases on this host: given back when nothing is mounted any more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import structlog

from daemonkit.diff import Diff
from records.errors import Conflict, RecordsError
from records.model import VolumeId
from records.snapshot import Records
from records.store import Store
from records.writes import Delete, Keep
from volplugin.leasing.table import Terms
from volplugin.plan.rights import Right, right, rights
from volplugin.plan.rights import Rights as Plan

log = structlog.get_logger()


class Rights:
    """Leases that this host has, and fences against it."""

    def __init__(
        self, store: Store, plan: Plan, terms: Terms | None, mounted: Callable[[VolumeId], Path | None]
    ) -> None:
        """`plan` is the planner of the same layer; `mounted` says where a volume is mounted still."""
        self._store = store
        self._plan = plan
        self._terms = terms
        self._mounted = mounted

    def read(self, keys: Collection[VolumeId] | None) -> Mapping[VolumeId, Right]:
        """See `daemonkit.layer.Actuator`."""
        records = self._store.snapshot()
        if keys is None:
            return rights(records, self._plan.host, self._plan.backend)
        found = ((key, self._right(records, key)) for key in keys)
        return {key: right for key, right in found if right is not None}

    def apply(self, change: Diff[VolumeId, Right]) -> Mapping[VolumeId, str]:
        """See `daemonkit.layer.Actuator`."""
        return {volume: why for volume in change.delete if (why := self._end(volume)) is not None}

    def _end(self, volume: VolumeId) -> str | None:
        """Give a lease back and take away the fences; return why that must wait.

        A container may begin at any moment: then the lease is renewed, and what was decided without it is refused.
        """
        if (at := self._mounted(volume)) is not None:
            return f"{at} is still mounted: nobody else may have the volume before it is not"
        records = self._store.snapshot()
        had = self._right(records, volume)
        if had is None or self._plan.want(records, volume) is not None:
            return None
        ended = [record for record in (had.lease, *had.fences) if record is not None]
        try:
            self._store.commit([write for record in ended for write in (Keep(record), Delete(record))])
        except Conflict:  # it is looked at again when that change arrives
            return None
        except RecordsError as error:
            return str(error)
        if self._terms is not None:
            self._terms.forget(volume, had.lease.epoch if had.lease is not None else None)
        log.info("lease ended", volume=str(volume), fences=len(had.fences))
        return None

    def _right(self, records: Records, key: VolumeId) -> Right | None:
        volume = records.volumes.get(key)
        if volume is None or volume.backend != self._plan.backend:
            return None
        return right(records, volume, self._plan.host)
