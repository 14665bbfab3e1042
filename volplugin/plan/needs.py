"""What a host's records say it needs of a backend; shared by the planners."""

from __future__ import annotations

from collections.abc import Iterator

from records.model import Access, Backend, BackendId, Host, Volume, VolumeId, VolumeState
from records.snapshot import Records
from volplugin.backends.common import own_options

AT_REST = frozenset({VolumeState.READY, VolumeState.TRASHED})


def held(records: Records, host: str, boot: str, backend: BackendId) -> Iterator[Volume]:
    """Yield the volumes of a backend that the host's containers hold and may use; with several holders several times.

    A holder of an earlier boot of the host holds nothing.
    """
    own = records.hosts.one(name=host)
    for holder in () if own is None else records.holders.of(host=own.id):
        volume = records.volumes.get(holder.volume) if holder.boot == boot else None
        if volume is None or volume.backend != backend or volume.state is not VolumeState.READY:
            continue
        if own is not None and entitled(records, volume, own):
            yield volume


def is_held(records: Records, volume: Volume, host: str, boot: str) -> bool:
    """Say whether a volume is among those of `held`."""
    own = records.hosts.one(name=host)
    if own is None or volume.state is not VolumeState.READY or not entitled(records, volume, own):
        return False
    return any(h.host == own.id and h.boot == boot for h in records.holders.of(volume=volume.id))


def entitled(records: Records, volume: Volume, host: Host) -> bool:
    """Say whether a host may use a volume: one that is not shared only with the lease."""
    if volume.access is Access.SHARED:
        return True
    lease = records.leases.one(volume=volume.id)
    return lease is not None and lease.host == host.id


def at_rest(volume: Volume) -> bool:
    """Say whether nothing is to be done for a volume."""
    return volume.state in AT_REST and not grows(volume)


def grows(volume: Volume) -> bool:
    """Say whether a volume is to hold more than is enforced now."""
    return volume.state is VolumeState.READY and volume.size_by is not None and volume.size != volume.sized


def is_chore(volume: Volume) -> bool:
    """Say whether there is something to do for a volume, at once; deletions take their time elsewhere."""
    return not at_rest(volume) and volume.state is not VolumeState.DELETING


def chores(records: Records, host: str, backend: BackendId) -> Iterator[Volume]:
    """Yield the volumes of a backend for which the host has something to do, but for deletions."""
    return (volume for volume in stewarded(records, host, backend) if is_chore(volume))


def deletions(records: Records, host: str, backend: BackendId) -> Iterator[Volume]:
    """Yield the volumes of a backend whose data the host is to delete."""
    return (volume for volume in stewarded(records, host, backend) if volume.state is VolumeState.DELETING)


def stewarded(records: Records, host: str, backend: BackendId) -> Iterator[Volume]:
    """Yield the volumes of a backend that the host is to bring on."""
    own = records.hosts.one(name=host)
    for volume in () if own is None else records.volumes.of(backend=backend):
        if own is not None and volume.steward == own.id:
            yield volume


def steward_of(records: Records, host: str, backend: BackendId, key: VolumeId) -> Volume | None:
    """Return the volume if it is among those of `stewarded`."""
    volume, own = records.volumes.get(key), records.hosts.one(name=host)
    if volume is None or own is None or (volume.backend, volume.steward) != (backend, own.id):
        return None
    return volume


def definition(backend: Backend) -> dict[str, object]:
    """Return a backend as its worker takes it."""
    return {
        "name": backend.name,
        "kind": backend.kind,
        "source": backend.source,
        "options": own_options(backend.options),
    }
