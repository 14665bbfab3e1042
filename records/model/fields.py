"""What the fields of records are made of: references to rows, bounded numbers."""

from __future__ import annotations

import dataclasses
from typing import Any


def ref(table: str, *, default: Any = dataclasses.MISSING) -> Any:
    """A field that refers to a row of `table`."""
    return dataclasses.field(default=default, metadata={"ref": table})


def bounded(low: int, high: int, *, default: Any = dataclasses.MISSING) -> Any:
    """A number that the database refuses outside of `low`..`high`."""
    return dataclasses.field(default=default, metadata={"bounds": (low, high)})
