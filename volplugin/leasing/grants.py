"""Who gets the lease of a volume: decided with the records in hand, and committed together with the holder."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable, Sequence

from daemonkit.errors import InUse
from records.model import Access, Fence, FenceId, Host, Lease, LeaseId, Volume
from records.snapshot import Records
from records.writes import Delete, Insert, Keep, Update, Write
from volplugin.leasing.terms import Life

Judge = Callable[[Lease], tuple[Life, float]]  # what is known of a lease, and in how many seconds it may be taken


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """What is written so that a host may use a volume; `lease` is None where it needs none."""

    writes: Sequence[Write]
    lease: Lease | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """A lease that may be had later: in `left` seconds, if its holder stays silent; 0: any moment, or not at all."""

    why: str
    left: float


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """A container of this host that wants a volume."""

    host: Host
    mount: str  # Docker's id of the mount
    boot: str  # the host's boot id
    seconds: int  # of the lease that it takes


def grant(records: Records, volume: Volume, claim: Claim, judge: Judge, servers: Sequence[str]) -> Grant | Wait:
    """Return what gives a host the right to use a volume, or what it has to wait for.

    `servers` are the addresses of the volume's storage, from which a host is fenced that is robbed of the lease.

    Raises:
        InUse: another host, or another container, uses it.

    """
    if volume.access is Access.SHARED:
        return Grant([Keep(volume)])
    _only_container(records, volume, claim)
    if any(fence.host == claim.host.id for fence in records.fences.of(volume=volume.id)):
        return Wait("this host lost its lease, and has not ended yet what used it", 0.0)
    lease = records.leases.one(volume=volume.id)
    if lease is None:
        return _first(volume, claim)
    if lease.host == claim.host.id:
        renewed = dataclasses.replace(lease, renewals=lease.renewals + 1)
        return Grant([Keep(volume), Update(lease, renewed)], renewed)
    life, left = judge(lease)
    if life is Life.EXPIRED:
        return _robbed(records, volume, lease, claim, servers)
    return _refused(records, volume, lease, life, left)


def _only_container(records: Records, volume: Volume, claim: Claim) -> None:
    if volume.access is not Access.CONTAINER:
        return
    for holder in records.holders.of(volume=volume.id):
        if holder.host == claim.host.id and holder.boot == claim.boot and holder.mount != claim.mount:
            since = dt.datetime.fromtimestamp(holder.since, dt.UTC).isoformat()
            who = f"another container of this host since {since} (mount {holder.mount[:12]}), and has access=container"
            raise InUse("volume", volume.name, who)


def _refused(records: Records, volume: Volume, lease: Lease, life: Life, left: float) -> Wait:
    host = records.hosts.get(lease.host)
    name = host.name if host is not None else str(lease.host)
    used = any(holder.host == lease.host for holder in records.holders.of(volume=volume.id))
    if life is Life.ALIVE and used:
        who = f"containers of host {name}, and has access={volume.access}: end them there first"
        raise InUse("volume", volume.name, who)
    if life is Life.SILENT:
        return Wait(f"its lease is held by host {name}, which is silent and may hold it for {left:.0f} s more", left)
    return Wait(f"its lease is held by host {name}, which renews it or gives it back in a moment", 0.0)


def _first(volume: Volume, claim: Claim) -> Grant:
    newer = dataclasses.replace(volume, epoch=volume.epoch + 1)
    made = Lease(
        id=LeaseId(uuid.uuid4()), volume=volume.id, host=claim.host.id, epoch=newer.epoch, seconds=claim.seconds
    )
    return Grant([Keep(volume), Update(volume, newer), Insert(made)], made)


def _robbed(records: Records, volume: Volume, lease: Lease, claim: Claim, servers: Sequence[str]) -> Grant:
    """Take the lease from a host that was silent for too long; it finds fences when it comes back."""
    newer = dataclasses.replace(volume, epoch=volume.epoch + 1)
    taken = dataclasses.replace(
        lease, host=claim.host.id, epoch=newer.epoch, renewals=lease.renewals + 1, seconds=claim.seconds
    )
    held = [Delete(h) for h in records.holders.of(volume=volume.id) if h.host == lease.host]
    known = {fence.server for fence in records.fences.of(volume=volume.id) if fence.host == lease.host}
    fences = [
        Fence(id=FenceId(uuid.uuid4()), volume=volume.id, host=lease.host, server=server, epoch=lease.epoch)
        for server in servers or [""]
        if server not in known
    ]
    return Grant([Keep(volume), Update(volume, newer), Update(lease, taken), *held, *map(Insert, fences)], taken)
