"""The volume driver's calls about volumes: into the records and out; decides and commits, touches no system."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable

import structlog

from daemonkit.errors import BadRequest, NotFound
from records.hosts import own_host
from records.model import (
    Access,
    Backend,
    Host,
    Retain,
    Volume,
    VolumeId,
    VolumeState,
)
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Delete, Insert, Keep, Update, Write
from volplugin import options
from volplugin.changes import refuse_held, steward
from volplugin.names import check_volume
from volplugin.sizes import SizeMode
from volplugin.tenants import tenant_of

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
        if asked.size_mode is SizeMode.IMAGE and asked.access is Access.SHARED and self._shared(backend):
            raise BadRequest(
                f"an image can be mounted by one host at a time, and all hosts reach backend {backend.name}: "
                "add -o access=host"
            )
        tenant, writes = tenant_of(records, name, asked.tenant)
        if (inner := records.volumes.one(backend=backend.id, path=tenant.name)) is not None:
            raise BadRequest(f"the directory of tenant {tenant.name} on backend {backend.name} is volume {inner.name}")
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
            return [self._unmade(now)], None

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
            refuse_held(records, known)
            if known.state is VolumeState.MAKING:
                return [self._unmade(known)], known
            lease, here = records.leases.one(volume=known.id), own_host(records, self._host)
            mine = dataclasses.replace(known, steward=steward(known, here))
            return [self._removing(mine, known), *([Delete(lease)] if lease is not None else [])], known

        if (removed := decide(self._store, decision)) is not None:
            log.info("volume removed", volume=name, retain=str(removed.retain))
        return removed

    def _unmade(self, volume: Volume) -> Write:
        """Return the write that takes back a volume which nobody has used yet; what was imported stays."""
        if volume.imported:
            return self._removing(dataclasses.replace(volume, retain=Retain.KEEP), volume)
        return self._removing(volume, volume, VolumeState.DELETING)

    def _removing(self, volume: Volume, old: Volume, state: VolumeState = VolumeState.REMOVING) -> Write:
        return Update(old, dataclasses.replace(volume, state=state, removed=int(self._now() * 1000), problem=None))


def find(records: Records, name: str) -> Volume:
    """Return the volume that users call so now, or raise NotFound."""
    if (volume := records.volumes.one(name=name, removed=0)) is None:
        raise NotFound("volume", name)
    return volume
