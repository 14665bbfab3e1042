"""The volume driver's calls about who uses a volume: sets of Docker's mount ids, each with a count.

`docker cp` asks for a mount with the id of the container that runs, and gives it back: a plain set would take the
volume from under the container (PROTOCOL 4.2).
"""

from __future__ import annotations

import dataclasses
import re
import threading
import time
import uuid
from collections.abc import Callable

import structlog

from daemonkit.errors import BadRequest, Failed
from records.hosts import own_host
from records.model import Holder, HolderId, Host, Volume
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Insert, Keep, Update, Write
from volplugin.leasing.granting import Granting, Refusing
from volplugin.leasing.grants import Claim, Grant, Wait, grant
from volplugin.uses import removed
from volplugin.volumes import find

POLL = 0.1  # seconds between looks at a lease that another host is about to lose
MOUNT_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")  # 64 hex digits from Docker

log = structlog.get_logger()


class Holders:
    """Who uses which volume on this host."""

    def __init__(
        self, store: Store, host: str, boot: str, now: Callable[[], float], granting: Granting | None = None
    ) -> None:
        """Count for this boot of the host; `now` is in seconds since 1970.  Without `granting` no lease is taken."""
        self._store = store
        self._host = host
        self._boot = boot
        self._now = now
        self._granting = granting or Refusing()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Wait for no lease any more."""
        self._stopping.set()

    def hold(self, name: str, mount: str, until: float = 0.0) -> Volume:
        """Note a use of the volume, and return it; with the lease, where it needs one.

        One that another host is about to lose is waited for until `until`, in monotonic seconds.

        Raises:
            NotFound: there is no such volume.
            Failed: this host cannot have it.
            InUse: another host, or container, has it for itself.

        """
        if not MOUNT_ID.fullmatch(mount):
            raise BadRequest(f"{mount!r} is not an id of a mount of Docker's")

        said = ""
        while isinstance(found := self._hold(name, mount), Wait):
            if self._stopping.is_set() or time.monotonic() + max(POLL, found.left) > until:
                raise Failed(f"volume {name}: {found.why}; please try again then")
            if said != (said := found.why.split(",")[0]):
                log.info("waits for a lease", volume=name, reason=found.why, seconds=round(found.left, 1))
            self._stopping.wait(POLL)
        return found

    def _hold(self, name: str, mount: str) -> Volume | Wait:
        """Try once."""
        servers, asked = self._granting.servers(self._store.snapshot(), name), self._granting.clock()

        def decision(records: Records) -> tuple[list[Write], tuple[Volume, Grant] | Wait]:
            host, volume = own_host(records, self._host), find(records, name)
            _check_home(records, volume, host)
            claim = Claim(host, mount, self._boot, self._granting.seconds)
            given = grant(records, volume, claim, self._granting.judge, servers)
            if isinstance(given, Wait):
                return [], given
            return [*self._counted(records, volume, host, mount), *given.writes], (volume, given)

        found = decide(self._store, decision)
        if isinstance(found, Wait):
            return found
        volume, given = found
        if given.lease is not None:
            self._granting.granted(self._store.snapshot(), volume, given.lease, asked)
        return volume

    def _counted(self, records: Records, volume: Volume, host: Host, mount: str) -> list[Write]:
        known = records.holders.one(volume=volume.id, host=host.id, mount=mount)
        if known is None:
            made = Holder(
                id=HolderId(uuid.uuid4()),
                volume=volume.id,
                host=host.id,
                mount=mount,
                boot=self._boot,
                since=int(self._now()),
            )
            return [Insert(made)]
        counts = known.boot == self._boot and known.confirmed  # else it is asked for anew, and ends with one Unmount
        again = dataclasses.replace(known, count=known.count + 1 if counts else 1, boot=self._boot, confirmed=True)
        return [Update(known, again), Keep(known)]

    def release(self, name: str, mount: str, runs: Callable[[Volume, int], bool] = lambda *_: False) -> Volume | None:
        """Take a use of the volume back, and return the volume; None where it was not used so.

        `runs` tells whether more containers have the volume than so many others: then the use has not ended, and is
        kept, in doubt (PROTOCOL 4.2: `docker cp` after a restart of dockerd).
        """
        found = self._found(self._store.snapshot(), name, mount)
        kept = found is not None and found[0].count == 1 and runs(found[1], self._others(*found))

        def decision(records: Records) -> tuple[list[Write], Volume | None]:
            if (found := self._found(records, name, mount)) is None:
                return [], None
            known, volume = found
            if known.count > 1:
                return [Update(known, dataclasses.replace(known, count=known.count - 1))], volume
            return ([Update(known, dataclasses.replace(known, confirmed=False))] if kept else [*removed(known)]), volume

        return decide(self._store, decision)

    def _others(self, known: Holder, volume: Volume) -> int:
        there = self._store.snapshot().holders.of(volume=volume.id)
        return sum(one.host == known.host and one.boot == known.boot for one in there if one.id != known.id)

    def _found(self, records: Records, name: str, mount: str) -> tuple[Holder, Volume] | None:
        """Return a use and its volume, which may have been renamed since."""
        if (own := records.hosts.one(name=self._host)) is None:
            return None
        if (volume := records.volumes.one(name=name, removed=0)) is not None:
            holder = records.holders.one(volume=volume.id, host=own.id, mount=mount)
            return (holder, volume) if holder is not None else None
        for holder in records.holders.of(host=own.id):
            if holder.mount == mount and (volume := records.volumes.get(holder.volume)) is not None:
                return holder, volume
        return None


def _check_home(records: Records, volume: Volume, host: Host) -> None:
    if volume.host in {None, host.id}:
        return
    home, backend = records.hosts.get(volume.host), records.backends.get(volume.backend)
    at = home.name if home is not None else "another"
    kind = backend.kind if backend is not None else "its"
    raise Failed(
        f"volume {volume.name}: its data is on host {at} ({kind} backends are each host's own): start the container "
        f"there, or keep the data on a backend that all hosts reach"
    )
