"""What a host's records say it needs of a backend; shared by the planners."""

from __future__ import annotations

from collections.abc import Iterator

from records.model import Backend, BackendId, Volume, VolumeState
from records.snapshot import Records

AT_REST = frozenset({VolumeState.READY, VolumeState.TRASHED})  # nothing is to be done


def held(records: Records, host: str, boot: str, backend: BackendId) -> Iterator[Volume]:
    """Yield the volumes of a backend that the host's containers hold; one with several holders several times.

    A holder of an earlier boot of the host holds nothing.
    """
    own = records.hosts.one(name=host)
    for holder in () if own is None else records.holders.of(host=own.id):
        volume = records.volumes.get(holder.volume) if holder.boot == boot else None
        if volume is not None and volume.backend == backend and volume.state is VolumeState.READY:
            yield volume


def is_held(records: Records, volume: Volume, host: str, boot: str) -> bool:
    """Say whether a volume is among those of `held`."""
    own = records.hosts.one(name=host)
    mine = (h for h in records.holders.of(volume=volume.id) if own is not None and h.host == own.id)
    return volume.state is VolumeState.READY and any(holder.boot == boot for holder in mine)


def chores(records: Records, host: str, backend: BackendId) -> Iterator[Volume]:
    """Yield the volumes of a backend for which the host has something to do."""
    own = records.hosts.one(name=host)
    for volume in () if own is None else records.volumes.of(backend=backend):
        if own is not None and volume.steward == own.id and volume.state not in AT_REST:
            yield volume


def definition(backend: Backend) -> dict[str, object]:
    """Return a backend as its worker takes it."""
    return {"name": backend.name, "kind": backend.kind, "source": backend.source, "options": dict(backend.options)}
