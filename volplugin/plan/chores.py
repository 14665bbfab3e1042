"""What this host has to do for a backend's volumes: their data is made, removed, brought back, deleted."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from records.model import BackendId, Retain, Volume, VolumeId, VolumeState
from records.snapshot import Records
from records.writes import Delete, Update, Write
from volplugin.plan.needs import AT_REST, chores

TRASH = ".trash"  # directory of a share


@dataclasses.dataclass(frozen=True, slots=True)
class Chores:
    """Planner of what one host does for one backend's volumes."""

    host: str
    backend: BackendId

    def keys(self, source: Records) -> Collection[VolumeId]:
        """See `daemonkit.layer.Planner`."""
        return [volume.id for volume in chores(source, self.host, self.backend)]

    def want(self, source: Records, key: VolumeId) -> Volume | None:
        """See `daemonkit.layer.Planner`."""
        volume, own = source.volumes.get(key), source.hosts.one(name=self.host)
        if volume is None or own is None or (volume.backend, volume.steward) != (self.backend, own.id):
            return None
        return None if volume.state in AT_REST else volume


def trash_path(volume: Volume) -> str:
    """Return where a removed volume's data is, below the share."""
    return f"{TRASH}/{volume.id}"


def done(volume: Volume) -> Write:
    """Return the write that follows a volume's chore."""
    if volume.state is VolumeState.DELETING or (volume.state is VolumeState.REMOVING and volume.retain is Retain.KEEP):
        return Delete(volume)
    if volume.state is VolumeState.REMOVING:
        after = VolumeState.TRASHED if volume.retain is Retain.TRASH else VolumeState.DELETING
    else:
        after = VolumeState.READY
    return Update(volume, dataclasses.replace(volume, state=after))
