"""What a host's records say it needs of a backend; shared by the planners."""

from __future__ import annotations

from collections.abc import Iterator

from records.model import Backend, BackendId, Holder, Volume, VolumeId, VolumeState
from records.snapshot import Records

AT_REST = frozenset({VolumeState.READY, VolumeState.TRASHED})  # nothing is to be done


def holders(records: Records, host: str, boot: str) -> Iterator[Holder]:
    """Yield what the host's containers hold; a holder of an earlier boot holds nothing."""
    own = records.hosts.one(name=host)
    if own is not None:
        yield from (holder for holder in records.holders.of(host=own.id) if holder.boot == boot)


def held(records: Records, host: str, boot: str, backend: BackendId) -> dict[VolumeId, Volume]:
    """Return the volumes of a backend that the host's containers hold."""
    volumes = (records.volumes.get(holder.volume) for holder in holders(records, host, boot))
    return {v.id: v for v in volumes if v is not None and v.backend == backend and v.state is VolumeState.READY}


def chores(records: Records, host: str, backend: BackendId) -> dict[VolumeId, Volume]:
    """Return the volumes of a backend for which the host has something to do."""
    own = records.hosts.one(name=host)
    volumes = () if own is None else records.volumes.of(backend=backend)
    return {v.id: v for v in volumes if own is not None and v.steward == own.id and v.state not in AT_REST}


def definition(backend: Backend) -> dict[str, object]:
    """Return a backend as its worker takes it."""
    return {"name": backend.name, "kind": backend.kind, "source": backend.source, "options": dict(backend.options)}
