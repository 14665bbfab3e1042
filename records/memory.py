"""The in-memory twin of the database: the same rules, for tests that need neither process nor disk."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence

from records import codec, explain
from records.errors import Unavailable
from records.model import RECORDS, Record
from records.snapshot import Records, references, unique_key
from records.store import COMMIT_WITHIN, Change, Watcher
from records.writes import Delete, Insert, Keep, Update, Write, difference

REFERRERS = {
    kind.TABLE: [
        (other.TABLE, name)
        for other in RECORDS
        for name, column in codec.columns(other).items()
        if column.refers == kind.TABLE
    ]
    for kind in RECORDS
}


class MemoryStore:
    """A store without a database.  `cut` makes it answer as if the database were away, until `mend`."""

    def __init__(self, records: Records | None = None) -> None:
        self._records = records or Records()
        self._writing = threading.RLock()
        self._watchers: list[Watcher] = []
        self._queues: dict[str, list[object]] = {}
        self._problem: str | None = None

    def snapshot(self) -> Records:
        """All records at one revision."""
        return self._records

    def commit(self, writes: Sequence[Write], *, within: float = COMMIT_WITHIN) -> Records:  # noqa: ARG002  # never waits
        """Make all of `writes`, or none."""
        with self._writing:
            if self._problem is not None:
                raise Unavailable(self._problem)
            changes = commit(self._records, writes)
            if changes:
                self._records = self._records.replaced((change.old, change.new) for change in changes)
                for watcher in self._watchers:
                    watcher(changes)
            return self._records

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` with what changed, after each commit that changed something; in the committer's thread."""
        with self._writing:
            self._watchers.append(watcher)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[Callable[[], bool]]:
        """Queue for the lock."""
        me = object()
        queue = self._queues.setdefault(name, [])
        queue.append(me)
        try:
            yield lambda: self._problem is None and queue[0] is me
        finally:
            queue.remove(me)

    def problem(self) -> str | None:
        """Why the records cannot be changed now, or None."""
        return self._problem

    def close(self) -> None:
        """There is nothing to end."""

    def cut(self, problem: str = "records unavailable: no leader among memory:") -> None:
        """Make every commit fail with this text."""
        with self._writing:
            self._problem = problem

    def mend(self) -> None:
        """End what `cut` began."""
        with self._writing:
            self._problem = None


def commit(records: Records, writes: Sequence[Write]) -> list[Change]:
    """Return what `writes` change in `records`.  Raises Conflict or Invalid where the database would refuse."""
    after: dict[uuid.UUID, tuple[Record, Record | None]] = {}
    for write in writes:
        _require(records, write)
    for write in writes:
        _apply(records, write, after)
    final = records.replaced((record, new) for record, new in after.values())
    for record, new in after.values():
        if new is None:
            _require_unreferred(final, record)
        else:
            _require_unique(records, final, new)
            _require_referred(final, new)
    changes = [Change(_get(records, record), new) for record, new in after.values()]
    return [change for change in changes if change.old != change.new]


def _get(records: Records, record: Record) -> Record | None:
    return records.tables[record.TABLE].get(record.id)


def _require(records: Records, write: Write) -> None:
    """Check what `write` says of the records before the commit."""
    if isinstance(write, Insert):
        codec.encode(write.new)
        if _get(records, write.new) is not None:
            raise explain.taken(write.new)
        return
    columns: Sequence[str] = ()
    if isinstance(write, Update):
        codec.encode(write.new)
        columns = difference(write.old, write.new)
        if not columns:
            return
    elif isinstance(write, Keep):
        columns = [field.name for field in dataclasses.fields(write.old)]
    now = _get(records, write.old)
    if now is None:
        raise explain.gone(write.old)
    if any(getattr(now, column) != getattr(write.old, column) for column in columns):
        raise explain.changed(write.old, columns)


def _apply(records: Records, write: Write, after: dict[uuid.UUID, tuple[Record, Record | None]]) -> None:
    if isinstance(write, Insert):
        if write.new.id in after:
            raise explain.taken(write.new)
        after[write.new.id] = (write.new, write.new)
    elif isinstance(write, Update):
        base = after.get(write.old.id, (write.old, _get(records, write.old)))[1]
        if base is not None:
            changes = {column: getattr(write.new, column) for column in difference(write.old, write.new)}
            after[write.old.id] = (write.old, dataclasses.replace(base, **changes))
    elif isinstance(write, Delete):
        after[write.old.id] = (write.old, None)


def _require_unique(before: Records, final: Records, record: Record) -> None:
    table = final.tables[record.TABLE]
    for columns in record.UNIQUE:
        key = unique_key(record, columns)
        for records in (before, final):  # whoever had the values and still has them, or took them in this commit
            found = records.tables[record.TABLE].one(**dict(zip(columns, key, strict=True)))
            still = table.get(found.id) if found is not None else None
            if still is not None and still.id != record.id and unique_key(still, columns) == key:
                raise explain.duplicate(record, columns)


def _require_referred(final: Records, record: Record) -> None:
    for column, table, to in references(record):
        if final.tables[table].get(to) is None:
            raise explain.dangling(record, column, table, to)


def _require_unreferred(final: Records, record: Record) -> None:
    count = sum(len(list(final.tables[table].of(**{column: record.id}))) for table, column in REFERRERS[record.TABLE])
    if count:
        raise explain.in_use(record, count)
