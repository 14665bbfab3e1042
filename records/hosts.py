"""A host's own row in the records."""

from __future__ import annotations

import dataclasses
import threading
import uuid

from daemonkit.errors import Unavailable
from records.errors import RecordsError
from records.model import Host, HostId
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Insert, Update, Write

SEARCHED = 1.0  # seconds between attempts while the database is away


def own_host(records: Records, name: str) -> Host:
    """Return this host's record.

    Raises:
        Unavailable: it has not been made yet (`ensure_host`).

    """
    host = records.hosts.one(name=name)
    if host is None:
        raise Unavailable("records", f"host {name} has none of its own yet: the database was never reached")
    return host


def ensure_host(store: Store, name: str, daemon: str, version: str) -> Host:
    """Make this host's record if there is none, note the version of a daemon that runs there, and return it."""

    def decision(records: Records) -> tuple[list[Write], Host]:
        if (there := records.hosts.one(name=name)) is None:
            host = Host(id=HostId(uuid.uuid4()), name=name, versions={daemon: version})
            return [Insert(host)], host
        host = dataclasses.replace(there, versions={**there.versions, daemon: version})
        return ([] if host == there else [Update(there, host)]), host

    return decide(store, decision)


def keep_trying(store: Store, name: str, daemon: str, version: str, stopping: threading.Event) -> None:
    """Make this host's record as soon as the database is there; returns at once, and gives up when `stopping`."""

    def work() -> None:
        while not stopping.is_set():
            try:
                ensure_host(store, name, daemon, version)
            except RecordsError:
                stopping.wait(SEARCHED)
            else:
                return

    threading.Thread(target=work, name="register", daemon=True).start()
