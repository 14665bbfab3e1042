"""What went wrong with a commit, in words for the person whose command it was; pure."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from records.errors import Conflict, Duplicate, Referenced
from records.model import Record

NAMES = ("name", "docker_id", "cidr", "ip", "zone")  # columns that people know a record by, the best first


def label(record: Record) -> str:
    """Return what a person calls the record: `Network web`."""
    name = next((getattr(record, column) for column in NAMES if hasattr(record, column)), record.id)
    return f"{record.TABLE} {name}"


def duplicate(record: Record, columns: Sequence[str]) -> Duplicate:
    """A unique index has these values already."""
    values = " and ".join(f"{column} {getattr(record, column)}" for column in columns)
    return Duplicate(f"another {record.TABLE} has {values}")


def taken(record: Record) -> Duplicate:
    """A record of this id is there already, or one goes in this very commit."""
    return Duplicate(f"{label(record)}: a record of id {record.id} exists already")


def in_use(record: Record, count: int) -> Referenced:
    """`count` records refer to one that is to go."""
    return Referenced(f"{label(record)} is still referred to by {count} other record{'s' if count > 1 else ''}")


def dangling(record: Record, column: str, table: str, to: uuid.UUID) -> Referenced:
    """A record refers to one that is not there."""
    return Referenced(f"{label(record)} refers to a {table} that is gone ({column} {to})")


def gone(record: Record) -> Conflict:
    """A record that the commit builds on is not there any more."""
    return Conflict(f"{label(record)} is gone")


def changed(record: Record, columns: Sequence[str]) -> Conflict:
    """A record that the commit builds on is not as it was in one of these columns, or is not there any more."""
    return Conflict(f"somebody else changed {label(record)} ({', '.join(columns)})")
