"""What operators change about volumes besides what Docker asks: decides and commits; the steward's daemon does it.

Each function works with a store alone, in any process, and returns the volume as it was written.  `host` is the name of
the host that is to do what follows: one that runs `moorage-volplugin`, usually the one where the command was typed.
`progress.outcome` waits for what comes of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import structlog

from daemonkit.errors import BadRequest, InUse, NotFound
from records.hosts import own_host
from records.model import Host, HostId, Retain, Volume, VolumeState
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Delete, Update, Write
from volplugin.names import check_volume
from volplugin.plan.needs import AT_REST
from volplugin.sizes import ADVISORY, IMAGE

log = structlog.get_logger()

ID_PART = 8  # hex digits of an id that stand for it
Now = Callable[[], float]  # seconds since 1970


def restore(store: Store, name: str, host: str) -> Volume:
    """Bring a removed volume back, in one rename; `name` is its name (the last of several) or its id.

    Raises:
        NotFound: no volume of that name or id is in the trash.
        BadRequest: its name is taken, or its data is being deleted.

    """

    def decision(records: Records) -> tuple[list[Write], Volume]:
        here, gone = own_host(records, host), find_removed(records, name)
        if records.volumes.one(name=gone.name, removed=0) is not None:
            raise BadRequest(f"there is a volume {gone.name} again: rename or remove it first")
        if gone.state is VolumeState.DELETING:
            raise BadRequest(f"volume {gone.name} cannot come back: its data is being deleted")
        if gone.retain is not Retain.TRASH:
            raise BadRequest(f"volume {gone.name} was removed with retain={gone.retain}: it is not in the trash")
        back = dataclasses.replace(
            gone, state=VolumeState.RESTORING, removed=0, problem=None, steward=steward(gone, here)
        )
        return [Update(gone, back)], back

    restored = decide(store, decision)
    log.info("volume restored", volume=restored.name, id=str(restored.id))
    return restored


def delete_now(store: Store, name: str, host: str, now: Now) -> Volume:
    """Delete the data of a volume, whether it is in use by its name or removed already; `name` may be an id.

    Raises:
        NotFound: there is no such volume.
        InUse: a container has it.
        BadRequest: it keeps its data when it is removed, so that cannot be meant.

    """

    def decision(records: Records) -> tuple[list[Write], Volume]:
        here = own_host(records, host)
        known = records.volumes.one(name=name, removed=0) or find_removed(records, name)
        if known.state is VolumeState.DELETING:
            return [], known
        refuse_held(records, known)
        if known.retain is Retain.KEEP:
            raise BadRequest(
                f"volume {known.name} keeps its data (retain=keep): remove it by docker volume rm, and then the "
                f"directory {known.path} on its backend, if it is not needed"
            )
        removed = known.removed or int(now() * 1000)
        gone = dataclasses.replace(
            known, state=VolumeState.DELETING, removed=removed, problem=None, steward=steward(known, here)
        )
        lease = records.leases.one(volume=known.id)
        return [Update(known, gone), *([Delete(lease)] if lease is not None else [])], gone

    deleted = decide(store, decision)
    log.info("volume to be deleted", volume=deleted.name, id=str(deleted.id))
    return deleted


def rename(store: Store, name: str, new: str) -> Volume:
    """Give a volume another name; its data stays where it is.

    Docker keeps the names of its containers' volumes: one that still has the old name would get a new, empty volume.
    So it is refused while containers run with it; stopped ones must be made anew.

    Raises:
        NotFound: there is no such volume.
        InUse: a container has it.
        BadRequest: the new name is taken, cannot be, or is another tenant's.

    """
    said = check_volume(new)["tenant"]

    def decision(records: Records) -> tuple[list[Write], Volume]:
        known = _ready(records, name)
        refuse_held(records, known)
        if records.volumes.one(name=new, removed=0) is not None:
            raise BadRequest(f"there is a volume {new} already")
        tenant = records.tenants.get(known.tenant)
        if said is not None and (tenant is None or said != tenant.name):
            whose = tenant.name if tenant is not None else "another tenant"
            raise BadRequest(f"volume {name} is {whose}'s, and would not be {said}'s by another name")
        renamed = dataclasses.replace(known, name=new)
        return [Update(known, renamed)], renamed

    renamed = decide(store, decision)
    log.info("volume renamed", volume=new, old=name)
    return renamed


def resize(store: Store, name: str, size: int, host: str) -> Volume:
    """Let a volume hold more: `size` bytes; containers go on using it meanwhile.

    Raises:
        NotFound: there is no such volume.
        BadRequest: it would shrink, or was made without a size.

    """

    def decision(records: Records) -> tuple[list[Write], Volume]:
        here, known = own_host(records, host), _ready(records, name)
        if known.size is None or known.size_by is None:
            raise BadRequest(f"volume {name} was made without a size: copy its data to one that has a size")
        if size < known.size:
            raise BadRequest(f"volume {name} has {known.size} bytes: it can grow, not shrink")
        advisory = known.size_by == ADVISORY
        grown = dataclasses.replace(
            known,
            size=size,
            sized=size if advisory else known.sized,
            problem=None,
            steward=_who_grows(records, known, here),
        )
        return [Update(known, grown)], grown

    grown = decide(store, decision)
    log.info("volume to grow", volume=name, bytes=size)
    return grown


def label(store: Store, name: str, labels: Mapping[str, str | None]) -> Volume:
    """Set labels of a volume; None takes one away."""

    def decision(records: Records) -> tuple[list[Write], Volume]:
        known = _known(records, name)
        merged = {**known.labels, **labels}
        labelled = dataclasses.replace(known, labels={key: text for key, text in merged.items() if text is not None})
        return ([] if labelled == known else [Update(known, labelled)]), labelled

    return decide(store, decision)


def take_over(store: Store, name: str, host: str) -> Volume:
    """Let `host` finish what another one began with a volume and cannot end, because it is gone for good.

    The user answers for that: two hosts that work on the same data at once could undo each other's steps.

    Raises:
        NotFound: there is no such volume.
        BadRequest: its data is on a disk of the other host.

    """

    def decision(records: Records) -> tuple[list[Write], Volume]:
        here = own_host(records, host)
        known = records.volumes.one(name=name, removed=0) or find_removed(records, name)
        if known.host not in {None, here.id}:
            home = records.hosts.get(known.host)
            at = home.name if home is not None else "another"
            raise BadRequest(f"volume {known.name}: its data is on host {at}, which alone reaches it")
        taken = dataclasses.replace(known, steward=here.id, problem=None)
        return ([] if taken == known else [Update(known, taken)]), taken

    taken = decide(store, decision)
    log.info("volume taken over", volume=taken.name, state=str(taken.state))
    return taken


def find_removed(records: Records, name: str) -> Volume:
    """Return the removed volume of that id, or of a unique beginning of it, or the last removed one of that name.

    Raises:
        NotFound: there is none.

    """
    removed = [volume for volume in records.volumes if volume.removed]
    called = [volume for volume in removed if volume.name == name]
    if not called and len(name) >= ID_PART:
        called = [volume for volume in removed if str(volume.id).startswith(name.lower())]
        if len(called) > 1:
            raise BadRequest(f"{name} is the beginning of several ids: write more of it")
    if not called:
        raise NotFound("removed volume", name)
    return max(called, key=lambda volume: volume.removed)


def steward(volume: Volume, here: Host) -> HostId:
    """Return who is to bring a volume on: whoever is at it already, else its home, else this host."""
    return volume.steward if volume.state not in AT_REST else volume.host or here.id


def refuse_held(records: Records, volume: Volume) -> None:
    """Raise InUse where a container has the volume, on any host."""
    for holder in records.holders.of(volume=volume.id):
        host = records.hosts.get(holder.host)
        raise InUse("volume", volume.name, f"a container on host {host.name if host else holder.host}")


def _who_grows(records: Records, volume: Volume, here: Host) -> HostId:
    """Return who makes a volume grow; an image only where it is mounted, so by the host whose containers have it."""
    holders = {holder.host for holder in records.holders.of(volume=volume.id)}
    return next(iter(holders)) if volume.size_by == IMAGE and holders else steward(volume, here)


def _known(records: Records, name: str) -> Volume:
    if (volume := records.volumes.one(name=name, removed=0)) is None:
        raise NotFound("volume", name)
    return volume


def _ready(records: Records, name: str) -> Volume:
    if (volume := _known(records, name)).state is not VolumeState.READY:
        raise BadRequest(f"volume {name} is {volume.state}: wait until that is done")
    return volume
