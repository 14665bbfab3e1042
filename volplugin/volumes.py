"""The volume driver's calls about volumes: into the records and out; decides and commits, touches no system."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable

import structlog

from daemonkit.errors import BadRequest, InUse, NotFound
from records.hosts import own_host
from records.model import (
    DEFAULT_TENANT,
    Backend,
    Host,
    Retain,
    Tenant,
    TenantId,
    Volume,
    VolumeId,
    VolumeState,
)
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Delete, Insert, Keep, Update, Write
from volplugin import options
from volplugin.names import check_volume

log = structlog.get_logger()


class Volumes:
    """Volumes as this host's Docker makes and removes them."""

    def __init__(
        self, store: Store, host: str, *, default: str, shared: Callable[[Backend], bool], now: Callable[[], float]
    ) -> None:
        """Use the backend `default` where none is named; `now` is in seconds since 1970."""
        self._store = store
        self._host = host
        self._default = default
        self._shared = shared
        self._now = now

    def create(self, name: str, given: dict[str, str]) -> Volume:
        """Put the volume into the records; one that exists stays as it is.

        Raises:
            BadRequest: a name, option or backend that cannot be.

        """
        check_volume(name)
        asked = options.parse(given)
        return decide(self._store, lambda records: self._create(records, name, asked))

    def _create(self, records: Records, name: str, asked: options.VolumeOptions) -> tuple[list[Write], Volume]:
        host = own_host(records, self._host)
        if (known := records.volumes.one(name=name, removed=0)) is not None:
            return self._take_over(known, host)
        backend = self._backend(records, asked.backend)
        tenant, writes = _tenant(records, name, asked.tenant)
        key = VolumeId(uuid.uuid4())
        made = Volume(
            id=key,
            name=name,
            tenant=tenant.id,
            backend=backend.id,
            path=f"{tenant.name}/{check_volume(name)['plain']}-{key.hex[:8]}",
            host=None if self._shared(backend) else host.id,
            steward=host.id,
            access=asked.access,
            retain=asked.retain,
            size=asked.size,
            uid=asked.uid,
            gid=asked.gid,
            mode=asked.mode,
            options=asked.given,
            created=int(self._now()),
            labels=asked.labels,
        )
        return [*writes, Keep(backend), Insert(made)], made

    def _take_over(self, known: Volume, host: Host) -> tuple[list[Write], Volume]:
        """Finish on this host what another one began, and maybe did not live to end."""
        if known.state is not VolumeState.MAKING or known.steward == host.id or known.host is not None:
            return [], known
        mine = dataclasses.replace(known, steward=host.id)
        return [Update(known, mine)], mine

    def _backend(self, records: Records, name: str | None) -> Backend:
        if (asked := name or self._default) and (found := records.backends.one(name=asked)) is not None:
            return found
        there = sorted(backend.name for backend in records.backends)
        if not there:
            raise BadRequest(
                "there is no backend yet: the operator defines one by "
                "`moorage backend add NAME --kind KIND --source SOURCE`"
            )
        if asked:
            raise BadRequest(f"there is no backend {asked}; there are: {', '.join(there)}")
        if len(there) > 1:
            raise BadRequest(f"which backend? Say -o backend=NAME; there are: {', '.join(there)}")
        return next(iter(records.backends))

    def give_up(self, volume: Volume) -> None:
        """Take back a volume whose data could not be made; what there may be of it is cleared when that is possible."""

        def decision(records: Records) -> tuple[list[Write], None]:
            now = records.volumes.get(volume.id)
            if now is None or now.state is not VolumeState.MAKING or now.steward != volume.steward:
                return [], None
            if now.imported:
                return [self._removing(dataclasses.replace(now, retain=Retain.KEEP), now)], None
            return [self._removing(now, now, VolumeState.DELETING)], None

        decide(self._store, decision)

    def remove(self, name: str) -> Volume | None:
        """Take the volume from its user; what becomes of its data is as it was made to be.  Unknown ones are gone.

        Raises:
            InUse: a container has it, on any host.

        """

        def decision(records: Records) -> tuple[list[Write], Volume | None]:
            known = records.volumes.one(name=name, removed=0)
            if known is None:
                return [], None
            for holder in records.holders.of(volume=known.id):
                host = records.hosts.get(holder.host)
                raise InUse("volume", name, f"a container on host {host.name if host else holder.host}")
            lease = records.leases.one(volume=known.id)
            return [self._removing(known, known), *([Delete(lease)] if lease is not None else [])], known

        if (removed := decide(self._store, decision)) is not None:
            log.info("volume removed", volume=name, retain=str(removed.retain))
        return removed

    def _removing(self, volume: Volume, old: Volume, state: VolumeState = VolumeState.REMOVING) -> Write:
        return Update(old, dataclasses.replace(volume, state=state, removed=int(self._now() * 1000)))


def find(records: Records, name: str) -> Volume:
    """Return the volume that users call so now, or raise NotFound."""
    if (volume := records.volumes.one(name=name, removed=0)) is None:
        raise NotFound("volume", name)
    return volume


def _tenant(records: Records, name: str, asked: str | None) -> tuple[Tenant, list[Write]]:
    said = check_volume(name)["tenant"]
    if said and asked and said != asked:
        raise BadRequest(f"tenant={asked} contradicts the name {name}, which is {said}'s")
    called = said or asked or DEFAULT_TENANT
    if (tenant := records.tenants.one(name=called)) is not None:
        return tenant, [Keep(tenant)]
    tenant = Tenant(id=TenantId(uuid.uuid4()), name=called)
    return tenant, [Insert(tenant)]
