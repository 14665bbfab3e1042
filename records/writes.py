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
    """Change the columns in which `new` differs from `old`; refused (Conflict) if one of these is no longer as in `old`."""

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
