"""What `moorage backend ls` and `show` tell: values made of the records and of what this host's daemon says; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from records.model import Backend, VolumeState
from records.snapshot import Records

WELL, DOWN = "well", "down"
UNKNOWN = "unknown"  # health of a backend while volplugin cannot be asked
IN_TRASH = (VolumeState.TRASHED, VolumeState.REMOVING, VolumeState.DELETING)


@dataclasses.dataclass(frozen=True, slots=True)
class BackendTold:
    """A backend.  What is of this host is `health`, `problem`, `mounted` and the three sizes, which are bytes."""

    name: str
    kind: str
    source: str
    options: Mapping[str, str]
    health: str  # well, down, unknown
    problem: str | None  # why it is down, or cannot be known
    mounted: bool
    total: int | None
    free: int | None
    available: int | None  # to who is not root
    volumes: tuple[str, ...]
    removed: tuple[str, ...]  # names of removed volumes whose data is there still
    holders: Mapping[str, int]  # containers that use its volumes, by host
    created: int  # seconds since 1970


def told(records: Records, backend: Backend, daemon: Mapping[str, Any] | str) -> BackendTold:
    """Return what there is to tell of a backend; `daemon` is volplugin's status, or why there is none."""
    there = sorted(records.volumes.of(backend=backend.id), key=lambda v: (v.name, v.removed))
    local = {} if isinstance(daemon, str) else dict(daemon.get("backends", {})).get(backend.name) or {}
    unknown = f"volplugin: {daemon}" if isinstance(daemon, str) else "volplugin does not know it yet"
    problem = local.get("problem") if local else unknown
    size = local.get("size") or {}
    return BackendTold(
        name=backend.name,
        kind=backend.kind,
        source=backend.source,
        options=dict(backend.options),
        health=UNKNOWN if not local else DOWN if problem else WELL,
        problem=problem,
        mounted=bool(local.get("mounted")),
        total=size.get("total"),
        free=size.get("free"),
        available=size.get("available"),
        volumes=tuple(v.name for v in there if not v.removed),
        removed=tuple(v.name for v in there if v.removed),
        holders=_holders(records, backend),
        created=backend.created,
    )


def _holders(records: Records, backend: Backend) -> dict[str, int]:
    found: dict[str, int] = {}
    for volume in records.volumes.of(backend=backend.id):
        for holder in records.holders.of(volume=volume.id):
            host = records.hosts.get(holder.host)
            name = host.name if host is not None else "?"
            found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


def down(found: BackendTold) -> bool:
    """Say whether the backend is known not to work on this host."""
    return found.health == DOWN


def in_the_way(found: BackendTold) -> str | None:
    """Return why a backend cannot be forgotten and what to do, or None where it can."""
    said = []
    if found.volumes:
        said.append(
            f"{_count(found.volumes)} on it: {', '.join(found.volumes)}; remove them with `docker volume rm`, or "
            "`moorage volume rm --now` where the data may go at once"
        )
    if found.removed:
        said.append(
            f"{_count(found.removed)} in its trash: {', '.join(found.removed)}; bring them back with "
            "`moorage volume restore`, delete them with `moorage volume rm --now`, or wait"
        )
    return f"backend {found.name} has " + ", and ".join(said) if said else None


def _count(names: tuple[str, ...]) -> str:
    return f"{len(names)} volume{'s' if len(names) != 1 else ''}"
