"""This host's place in the records: its row, its address space."""

from __future__ import annotations

import uuid

from daemonkit.errors import Unavailable
from records.model import Host, HostId, Space, SpaceId
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Insert, Write


def own_host(records: Records, name: str) -> Host:
    """Return this host's record.

    Raises:
        Unavailable: it has not been made yet (`ensure_host`).

    """
    host = records.hosts.one(name=name)
    if host is None:
        raise Unavailable("records", f"host {name} has none of its own yet: the database was never reached")
    return host


def ensure_host(store: Store, name: str, version: str) -> Host:
    """Make this host's record if there is none, and return it."""

    def decision(records: Records) -> tuple[list[Write], Host]:
        if (host := records.hosts.one(name=name)) is not None:
            return [], host
        host = Host(id=HostId(uuid.uuid4()), name=name, versions={"netplugin": version})
        return [Insert(host)], host

    return decide(store, decision)


def space_of(records: Records, host: str) -> tuple[Space, list[Write]]:
    """Return the address space of a host's own bridges, and the write that makes it if there is none."""
    name = f"host/{host}"
    if (space := records.spaces.one(name=name)) is not None:
        return space, []
    space = Space(id=SpaceId(uuid.uuid4()), name=name)
    return space, [Insert(space)]
