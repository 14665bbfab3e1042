"""Which volumes of a backend this host may keep for itself: those that its containers hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from records.model import BackendId, Fence, Lease, Volume, VolumeId
from records.snapshot import Records
from volplugin.plan.needs import held, is_held


@dataclasses.dataclass(frozen=True, slots=True)
class Right:
    """What the records say of a host and a volume: the lease that it has, and the fences against it.

    Equal are all: of a right only whether it is there is planned.
    """

    lease: Lease | None = dataclasses.field(default=None, compare=False)
    fences: tuple[Fence, ...] = dataclasses.field(default=(), compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Rights:
    """Planner of one backend's leases on one host: who wants one writes it, so here they only end."""

    host: str
    boot: str
    backend: BackendId

    def keys(self, source: Records) -> Collection[VolumeId]:
        """See `daemonkit.layer.Planner`."""
        return {
            v.id for v in held(source, self.host, self.boot, self.backend) if right(source, v, self.host) is not None
        }

    def want(self, source: Records, key: VolumeId) -> Right | None:
        """See `daemonkit.layer.Planner`."""
        volume = source.volumes.get(key)
        if volume is None or volume.backend != self.backend or not is_held(source, volume, self.host, self.boot):
            return None
        return right(source, volume, self.host)


def right(records: Records, volume: Volume, host: str) -> Right | None:
    """Return what the records say of a host and a volume; None where they say nothing."""
    own, lease = records.hosts.one(name=host), records.leases.one(volume=volume.id)
    if own is None:
        return None
    mine = lease if lease is not None and lease.host == own.id else None
    fences = tuple(fence for fence in records.fences.of(volume=volume.id) if fence.host == own.id)
    return None if mine is None and not fences else Right(mine, fences)


def rights(records: Records, host: str, backend: BackendId) -> dict[VolumeId, Right]:
    """Return what they say of a host and all volumes of a backend."""
    if (own := records.hosts.one(name=host)) is None:
        return {}
    concerned = {lease.volume for lease in records.leases.of(host=own.id)}
    concerned.update(fence.volume for fence in records.fences.of(host=own.id))
    volumes = [volume for key in concerned if (volume := records.volumes.get(key)) is not None]
    found = {v.id: right(records, v, host) for v in volumes if v.backend == backend}
    return {key: value for key, value in found.items() if value is not None}
