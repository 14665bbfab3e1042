"""What Docker and its users are told of a volume; pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from records.model import Access, Volume
from records.snapshot import Records
from volplugin import wire


@dataclasses.dataclass(frozen=True, slots=True)
class Live:
    """What this host sees of a volume now."""

    mountpoint: str = ""  # empty: not mounted here
    problem: str | None = None  # why its backend, or the volume, cannot be used
    size: Mapping[str, int] | None = None  # bytes, of the backend's share: total, free, available
    used: int | None = None  # bytes of the volume's own size


def told(records: Records, volume: Volume, live: Live) -> wire.Volume:
    """Return a volume as Docker takes it."""
    return wire.Volume(
        name=volume.name,
        mountpoint=live.mountpoint,
        created_at=dt.datetime.fromtimestamp(volume.created, dt.UTC).isoformat(),
        status=status(records, volume, live),
    )


def status(records: Records, volume: Volume, live: Live) -> dict[str, Any]:
    """Return what `docker volume inspect` shows as Status: only what helps, so nothing that is empty."""
    backend, home = records.backends.get(volume.backend), records.hosts.get(volume.host)
    tenant, lease = records.tenants.get(volume.tenant), records.leases.one(volume=volume.id)
    told = {
        "State": str(volume.state),
        "Backend": "" if backend is None else f"{backend.name} ({backend.kind} {backend.source})",
        "Path": volume.path,
        "Host": home.name if home is not None else "",
        "Tenant": tenant.name if tenant is not None else "",
        "Holders": _holders(records, volume),
        "Access": str(volume.access),
        "Lease": _lease(records, volume),
        "Epoch": volume.epoch if lease is not None or volume.access is not Access.SHARED else None,
        "Size": volume.size,
        "SizeEnforcedBy": volume.size_by,
        "SizeUsed": live.used,
        "BackendSpace": dict(live.size) if live.size else None,
        "Retain": str(volume.retain),
        "CreatedWith": dict(volume.options),
        "Labels": dict(volume.labels),
        "Problem": live.problem or volume.problem,
    }
    return {key: value for key, value in told.items() if value not in (None, "", {}, [])}


def _holders(records: Records, volume: Volume) -> dict[str, int]:
    """Return how many containers of which host use it."""
    found: dict[str, int] = {}
    for holder in records.holders.of(volume=volume.id):
        host = records.hosts.get(holder.host)
        name = host.name if host is not None else str(holder.host)
        found[name] = found.get(name, 0) + 1
    return found


def _lease(records: Records, volume: Volume) -> str:
    lease = records.leases.one(volume=volume.id)
    host = records.hosts.get(lease.host) if lease is not None else None
    return "" if lease is None or host is None else f"host {host.name}, epoch {lease.epoch}"
