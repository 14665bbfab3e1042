"""What the fields of records are made of: references to rows, bounded numbers, what records are looked up by."""

from __future__ import annotations

import dataclasses
from typing import Any


def ref(table: str, *, default: Any = dataclasses.MISSING) -> Any:
    """A field that refers to a row of `table`."""
    return dataclasses.field(default=default, metadata={"ref": table})


def bounded(low: int, high: int, *, default: Any = dataclasses.MISSING, sought: bool = False) -> Any:
    """A number that the database refuses outside of `low`..`high`; `sought` says that records are looked up by it."""
    return dataclasses.field(default=default, metadata={"bounds": (low, high), "sought": sought})
