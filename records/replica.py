"""The records as the database tells them: its updates applied to a snapshot."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import structlog

from records import codec
from records.model import Record
from records.snapshot import Records
from records.store import Change

Updates = Mapping[str, Mapping[str, Mapping[str, Any]]]  # table -> row -> how it changed -> columns

log = structlog.get_logger()


class Replica:
    """The newest snapshot.  Used from one thread; `records` may be read from any.

    A row that the model cannot read (an enum's value of a newer release, an address that somebody wrote by hand) is as
    if it were not there, until it changes: one broken row must not take the others away.
    """

    def __init__(self) -> None:
        self.records = Records()
        self._unreadable: dict[uuid.UUID, codec.Row] = {}

    def apply(self, updates: Updates) -> list[Change]:
        """Take the updates since the last ones, and return what changed."""
        return self._take([self._change(*row) for row in _rows(updates)])

    def replace(self, updates: Updates) -> list[Change]:
        """Take the rows of a whole database, and return in what it differs from what was known."""
        self._unreadable.clear()
        rows = _rows(updates)
        changes = [self._change(*row) for row in rows]
        there = {key for _, key, _ in rows}
        gone = [record for table in self.records.tables.values() for record in table if record.id not in there]
        return self._take([*changes, *(Change(record, None) for record in gone)])

    def _take(self, changes: list[Change]) -> list[Change]:
        changes = [change for change in changes if change.old != change.new]
        if changes:
            self.records = self.records.replaced((change.old, change.new) for change in changes)
        return changes

    def _change(self, kind: type[Record], key: uuid.UUID, update: Mapping[str, Any]) -> Change:
        """Read one row's change as `update2` tells it (ovsdb-server(7), section 4.1.14)."""
        old = self.records.tables[kind.TABLE].get(key)
        before = self._unreadable.pop(key, None)
        if "delete" in update:
            return Change(old, None)
        if "modify" in update:
            if before is None:
                before = codec.encode(old) if old is not None else {}
            row: codec.Row = codec.changed(kind, before, update["modify"])
        else:
            row = update.get("insert") or update.get("initial") or {}
        try:
            return Change(old, codec.decode(kind, key, row))
        except ValueError as error:
            self._unreadable[key] = row
            log.error("record unreadable", table=kind.TABLE, id=str(key), reason=str(error))  # noqa: TRY400
            return Change(old, None)


def _rows(updates: Updates) -> list[tuple[type[Record], uuid.UUID, Mapping[str, Any]]]:
    return [
        (codec.KINDS[table], uuid.UUID(key), update)
        for table, rows in updates.items()
        if table in codec.KINDS
        for key, update in rows.items()
    ]
