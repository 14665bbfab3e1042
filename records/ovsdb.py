"""The store over an OVSDB database: a replica in memory, and transactions at the leader."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog

from records import codec
from records.errors import Unavailable
from records.link import DATABASE, Link, Session, Unsuitable
from records.operations import error, operations
from records.replica import Replica
from records.schema import lacking
from records.snapshot import Records
from records.store import COMMIT_WITHIN, Change, Watcher
from records.writes import Write

NOTHING_SEEN = "00000000-0000-0000-0000-000000000000"  # the transaction before the first

log = structlog.get_logger()


class OvsdbStore:
    """All records of the cluster behind `remote`: members as `unix:PATH` or `tcp:HOST:PORT`, separated by commas.

    Constructing it does not wait: a daemon starts whether the database is there or not.
    """

    def __init__(self, remote: str) -> None:
        self._remote = remote
        self._replica = Replica()
        self._seen = NOTHING_SEEN  # id of the last transaction in the replica
        self._read = False  # whether the replica has ever been filled
        self._watchers: tuple[Watcher, ...] = ()
        self._link = Link(remote, self)

    def snapshot(self) -> Records:
        """All records at one revision, as new as the connection is.

        Raises:
            Unavailable: the database has not been reached since this store was made.

        """
        if not self._read:
            raise Unavailable(self._link.problem() or "records unavailable: they are being read")
        return self._replica.records

    def commit(self, writes: Sequence[Write], *, within: float = COMMIT_WITHIN) -> Records:
        """Make all of `writes`, or none, durably; sent once, never again after a lost connection.

        Raises:
            Conflict: somebody else was first (Duplicate, Referenced say how).
            Invalid: a column cannot hold its value.
            Unavailable: no answer within `within` seconds; it may have taken effect.

        """
        sent = operations(writes)
        if sent:
            replies = self._link.ask("transact", [DATABASE, *(operation.wire for operation in sent)], within)
            if (refusal := error(sent, replies)) is not None:
                raise refusal
        return self.snapshot()  # an update comes before the answer to the transaction that made it

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` with what changed, after each revision; from the store's thread, so it must not wait."""
        self._watchers = (*self._watchers, watcher)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[Callable[[], bool]]:
        """Queue for the cluster-wide lock over a connection of its own; the value tells whether we hold it now."""
        holder = _Holder(name)
        link = Link(self._remote, holder)
        try:
            yield lambda: holder.held
        finally:
            link.close()

    def ready(self, within: float) -> bool:
        """Wait until the records can be read and changed; return whether they can."""
        return self._link.ready(within)

    def problem(self) -> str | None:
        """Why the records cannot be changed now, or None."""
        return self._link.problem()

    def close(self) -> None:
        """End the connection and the thread."""
        self._link.close()

    def joined(self, session: Session, schema: str) -> None:
        """Catch up with the database; only with what is new where it remembers what we have seen."""
        if (lack := lacking(schema)) is not None:
            raise Unsuitable(lack)
        tables = {table: [{"columns": list(codec.columns(kind))}] for table, kind in codec.KINDS.items()}
        found, last, updates = session.call("monitor_cond_since", [DATABASE, "records", tables, self._seen])
        changes = self._replica.apply(updates) if found else self._replica.replace(updates)
        self._seen, self._read = last, True
        self._tell(changes)

    def notified(self, method: str, params: Sequence[Any]) -> None:
        """Take an update."""
        if method == "update3":
            changes = self._replica.apply(params[2])
            self._seen = params[1]
            self._tell(changes)

    def lost(self) -> None:
        """Nothing: the snapshot stays, and whoever waits for an answer is told by the session."""

    def _tell(self, changes: Sequence[Change]) -> None:
        for watcher in self._watchers if changes else ():
            try:
                watcher(changes)
            except Exception:  # a watcher's bug must not end the connection that all live on
                log.exception("watcher failed", watcher=getattr(watcher, "__qualname__", repr(watcher)))


class _Holder:
    """Queues for a lock (RFC 7047 section 4.1.8) and knows whether we have it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.held = False

    def joined(self, session: Session, schema: str) -> None:  # noqa: ARG002  # locks are not in a schema
        if session.call("lock", [self._name])["locked"]:
            self.held = True  # else the word that it is ours comes later, or has come while we read this answer

    def notified(self, method: str, params: Sequence[Any]) -> None:
        if method in {"locked", "stolen"} and params[0] == self._name:
            self.held = method == "locked"

    def lost(self) -> None:
        self.held = False
