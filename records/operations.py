"""Writes as the operations of one OVSDB transaction (RFC 7047 section 5.2), and its replies as errors; pure."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from records import codec, explain
from records.errors import Duplicate, Invalid, RecordsError, Referenced, Unavailable
from records.model import Record
from records.writes import Delete, Insert, Keep, Update, Write, difference

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# The texts of ovsdb/transaction.c.  Where they change, the error's class stays and its text is the server's.
SHARED = re.compile(
    rf"index on columns? (.*?)\.  First row, with UUID ({UUID}).*Second row, with UUID ({UUID})", re.DOTALL
)
IN_USE = re.compile(rf"cannot delete \S+ row ({UUID}) because of (\d+) remaining")
DANGLING = re.compile(rf"column (\S+) row ({UUID}) references nonexistent row ({UUID}) in table (\w+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One operation, and the write that it belongs to."""

    wire: Mapping[str, Any]
    write: Write


def operations(writes: Sequence[Write]) -> list[Operation]:
    """Return what is verified, then what is changed: so all is compared with the records before the commit.

    Raises:
        Invalid: a column cannot hold its value.

    """
    return [Operation(_wait(write), write) for write in writes if _basis(write)] + [
        Operation(wire, write) for write in writes if (wire := _change(write)) is not None
    ]


def error(sent: Sequence[Operation], replies: Sequence[Mapping[str, Any] | None]) -> RecordsError | None:
    """Return why the transaction was refused; None if it was not."""
    for number, reply in enumerate(replies):
        if reply is not None and "error" in reply:
            code, details = reply["error"], reply.get("details", "")
            if number < len(sent):
                return _failed(sent[number], code, details)
            return _refused(sent, code, details)
    return None


def _basis(write: Write) -> list[str]:
    """Return the columns that must still be as in `write.old`; `_uuid` where it must only be there."""
    if isinstance(write, Update):
        return difference(write.old, write.new)
    if isinstance(write, Keep):
        return list(codec.columns(type(write.old)))
    return ["_uuid"] if isinstance(write, Delete) else []


def _wait(write: Write) -> dict[str, Any]:
    old = write.new if isinstance(write, Insert) else write.old
    known = codec.columns(type(old))
    basis = {name: known[name].encode(getattr(old, name)) if name in known else _id(old) for name in _basis(write)}
    return {"op": "wait", "timeout": 0, **_where(old), "columns": list(basis), "until": "==", "rows": [basis]}


def _change(write: Write) -> dict[str, Any] | None:
    if isinstance(write, Insert):
        known = codec.columns(type(write.new))
        row = {name: value for name, value in codec.encode(write.new).items() if value != known[name].default}
        return {"op": "insert", "table": write.new.TABLE, "uuid": str(write.new.id), "row": row}
    if isinstance(write, Delete):
        return {"op": "delete", **_where(write.old)}
    names = _basis(write) if isinstance(write, Update) else []
    if not isinstance(write, Update) or not names:
        return None
    known = codec.columns(type(write.new))
    row = {name: known[name].encode(getattr(write.new, name)) for name in names}
    return {"op": "update", **_where(write.old), "row": row}


def _where(record: Record) -> dict[str, Any]:
    return {"table": record.TABLE, "where": [["_uuid", "==", _id(record)]]}


def _id(record: Record) -> list[str]:
    return ["uuid", str(record.id)]


def _failed(operation: Operation, code: str, details: str) -> RecordsError:
    """Return what it means that one operation failed."""
    write = operation.write
    if code == "timed out" and not isinstance(write, Insert):
        return explain.gone(write.old) if isinstance(write, Delete) else explain.changed(write.old, _basis(write))
    if code == "duplicate uuid" and isinstance(write, Insert):
        return explain.taken(write.new)
    if code == "constraint violation":
        return Invalid(f"{operation.wire['table']}: {details}")
    return _other(code, details)


def _refused(sent: Sequence[Operation], code: str, details: str) -> RecordsError:
    """Return what it means that the transaction as a whole was refused."""
    records = {str(record.id): record for operation in sent if (record := _record(operation.write)) is not None}
    if code == "constraint violation":
        if (found := SHARED.search(details)) is not None:
            columns = re.findall(r'"(\w+)"', found[1])
            ours = records.get(found[2]) or records.get(found[3])
            if ours is not None:
                return explain.duplicate(ours, columns)
        return Duplicate(details)
    if code == "referential integrity violation":
        if (found := IN_USE.search(details)) is not None and found[1] in records:
            return explain.in_use(records[found[1]], int(found[2]))
        if (found := DANGLING.search(details)) is not None and found[2] in records:
            return explain.dangling(records[found[2]], found[1], found[4], uuid.UUID(found[3]))
        return Referenced(details)
    return _other(code, details)


def _record(write: Write) -> Record | None:
    return write.old if isinstance(write, Delete) else write.new if isinstance(write, Insert | Update) else None


def _other(code: str, details: str) -> RecordsError:
    """Whatever is left is the server's trouble: a full disk, a lost leadership, no memory."""
    return Unavailable(f"records unavailable: the database could not commit: {code} {details}".rstrip())
