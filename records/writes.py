"""Values that a commit is made of."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from records.model import Record


@dataclasses.dataclass(frozen=True, slots=True)
class Insert:
    """A record that is not there yet."""

    new: Record


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """Change the columns in which `new` differs from `old`; refused (Conflict) unless these are still as in `old`."""

    old: Record
    new: Record


@dataclasses.dataclass(frozen=True, slots=True)
class Delete:
    """A record that is to go; refused (Conflict) if it has gone already."""

    old: Record


@dataclasses.dataclass(frozen=True, slots=True)
class Keep:
    """A record the decision was based on: the commit is refused (Conflict) unless every column is still as here."""

    old: Record


Write: TypeAlias = Insert | Update | Delete | Keep


def difference(old: Record, new: Record) -> list[str]:
    """Return the columns in which two states of one record differ; ValueError where they are not of one record."""
    if type(old) is not type(new) or old.id != new.id:
        raise ValueError(f"{old!r} and {new!r} are not states of one record")
    names = (field.name for field in dataclasses.fields(old))
    return [name for name in names if getattr(old, name) != getattr(new, name)]
