"""What `moorage volume ls` and `show` tell: values made of the records; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from cli.output import bytes_, duration
from daemonkit.errors import NotFound
from records.model import Volume
from records.snapshot import Records
from volplugin.backends.common import trash_for
from volplugin.changes import find_removed

COLUMNS = ("NAME", "TENANT", "BACKEND", "STATE", "SIZE", "IN USE", "ACCESS")
TRASH_COLUMNS = ("NAME", "ID", "BACKEND", "STATE", "REMOVED", "TIME LEFT")


@dataclasses.dataclass(frozen=True, slots=True)
class VolumeTold:
    """A volume.  Sizes are bytes, times seconds since 1970, `left` seconds until its data is deleted."""

    name: str
    id: str
    tenant: str
    backend: str
    kind: str
    path: str  # below the backend's share
    host: str | None  # the only one that reaches its data; None: all do
    state: str
    problem: str | None  # why its state cannot be brought on
    access: str
    holders: Mapping[str, int]  # containers that use it, by host
    lease: str | None  # the host that may use it, where not all may
    epoch: int
    retain: str
    size: int | None
    size_by: str | None  # what enforces the size
    uid: int | None
    gid: int | None
    mode: str | None  # octal
    imported: bool
    created: int
    removed: int | None
    left: float | None
    options: Mapping[str, str]
    labels: Mapping[str, str]


def told(records: Records, volume: Volume, *, trash: float, now: float) -> VolumeTold:
    """Return what there is to tell of a volume; `trash` is how many seconds the trash of other backends keeps."""
    backend, tenant = records.backends.get(volume.backend), records.tenants.get(volume.tenant)
    home, lease = records.hosts.get(volume.host), records.leases.one(volume=volume.id)
    leader = None if lease is None else records.hosts.get(lease.host)
    removed = volume.removed / 1000 if volume.removed else None
    keeps = trash if backend is None else trash_for(backend.options, trash)
    return VolumeTold(
        name=volume.name,
        id=str(volume.id),
        tenant=tenant.name if tenant is not None else "?",
        backend=backend.name if backend is not None else "?",
        kind=backend.kind if backend is not None else "?",
        path=volume.path,
        host=home.name if home is not None else None,
        state=str(volume.state),
        problem=volume.problem,
        access=str(volume.access),
        holders=_holders(records, volume),
        lease=leader.name if leader is not None else None,
        epoch=volume.epoch,
        retain=str(volume.retain),
        size=volume.size,
        size_by=volume.size_by,
        uid=volume.uid,
        gid=volume.gid,
        mode=None if volume.mode is None else f"{volume.mode:04o}",
        imported=volume.imported,
        created=volume.created,
        removed=None if removed is None else int(removed),
        left=None if removed is None else max(0.0, round(removed + keeps - now, 1)),
        options=dict(volume.options),
        labels=dict(volume.labels),
    )


def find(records: Records, name: str) -> Volume:
    """Return the volume of that name, else the removed one of that name or id.  Raises NotFound."""
    if (there := records.volumes.one(name=name, removed=0)) is not None:
        return there
    try:
        return find_removed(records, name)
    except NotFound:
        raise NotFound("volume", name) from None


def _holders(records: Records, volume: Volume) -> dict[str, int]:
    found: dict[str, int] = {}
    for holder in records.holders.of(volume=volume.id):
        host = records.hosts.get(holder.host)
        name = host.name if host is not None else "?"
        found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


def row(one: VolumeTold) -> tuple[str, ...]:
    """Return a line of `ls`."""
    size = bytes_(one.size) + (f" ({one.size_by})" if one.size_by else "")
    return one.name, one.tenant, one.backend, _state(one), size, _use(one.holders), one.access


def trash_row(one: VolumeTold, now: float) -> tuple[str, ...]:
    """Return a line of `ls --trash`."""
    ago = f"{duration(now - one.removed)} ago" if one.removed is not None else ""
    left = duration(one.left) if one.left is not None and one.retain == "trash" else ""
    return one.name, one.id[:8], one.backend, _state(one), ago, left


def lines(one: VolumeTold) -> Iterator[tuple[str, str]]:
    """Yield what `show` prints: a word and what is to be said of it, without what is empty."""
    home = f", of host {one.host} alone" if one.host is not None else ""
    said = {
        "volume": one.name,
        "id": one.id,
        "tenant": one.tenant,
        "backend": f"{one.backend} ({one.kind}){home}",
        "path": one.path + (" (imported)" if one.imported else ""),
        "state": _state(one),
        "problem": one.problem or "",
        "size": bytes_(one.size) + (f", kept to it by {one.size_by}" if one.size_by else ""),
        "access": one.access + (f", held by host {one.lease}, epoch {one.epoch}" if one.lease else ""),
        "in use by": _use(one.holders),
        "owner": ":".join("-" if number is None else str(number) for number in (one.uid, one.gid))
        if (one.uid, one.gid) != (None, None)
        else "",
        "mode": one.mode or "",
        "retain": one.retain,
        "time left": duration(one.left) if one.left is not None and one.retain == "trash" else "",
        "options": ", ".join(f"{key}={text}" for key, text in sorted(one.options.items())),
        "labels": ", ".join(f"{key}={text}" for key, text in sorted(one.labels.items())),
    }
    yield from ((word, text) for word, text in said.items() if text)


def _state(one: VolumeTold) -> str:
    return f"{one.state}!" if one.problem is not None else one.state


def _use(holders: Mapping[str, int]) -> str:
    return ", ".join(f"{host}: {count}" for host, count in holders.items())
