"""Which volumes of a backend are to be seen on this host, for its containers."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from records.model import Access, BackendId, VolumeId
from records.snapshot import Records
from volplugin.plan.needs import held, is_held
from volplugin.sizes import IMAGE


@dataclasses.dataclass(frozen=True, slots=True)
class Bind:
    """A volume at its mount point; `sound` is False where it may be dead, or is not of the share that is mounted.

    `epoch` is that of the lease, which the volume's marker must not be ahead of; 0 where it needs none.
    """

    path: str  # below the share
    sound: bool = True
    image: bool = False  # a file system in a file there
    epoch: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Binds:
    """Planner of one backend's volumes on one host."""

    host: str
    boot: str
    backend: BackendId

    def keys(self, source: Records) -> Collection[VolumeId]:
        """See `daemonkit.layer.Planner`."""
        return {volume.id for volume in held(source, self.host, self.boot, self.backend)}

    def want(self, source: Records, key: VolumeId) -> Bind | None:
        """See `daemonkit.layer.Planner`."""
        volume = source.volumes.get(key)
        if volume is None or volume.backend != self.backend or not is_held(source, volume, self.host, self.boot):
            return None
        epoch = 0 if volume.access is Access.SHARED else volume.epoch
        return Bind(volume.path, image=volume.size_by == IMAGE, epoch=epoch)
