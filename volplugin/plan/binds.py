"""Which volumes of a backend are to be seen on this host, for its containers."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from records.model import BackendId, VolumeId
from records.snapshot import Records
from volplugin.plan.needs import held


@dataclasses.dataclass(frozen=True, slots=True)
class Bind:
    """A volume at its mount point; `sound` is False where it may be dead, or is not of the share that is mounted."""

    path: str  # below the share
    sound: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Binds:
    """Planner of one backend's volumes on one host."""

    host: str
    boot: str
    backend: BackendId

    def keys(self, source: Records) -> Collection[VolumeId]:
        """See `daemonkit.layer.Planner`."""
        return held(source, self.host, self.boot, self.backend).keys()

    def want(self, source: Records, key: VolumeId) -> Bind | None:
        """See `daemonkit.layer.Planner`."""
        volume = held(source, self.host, self.boot, self.backend).get(key)
        return None if volume is None else Bind(volume.path)
