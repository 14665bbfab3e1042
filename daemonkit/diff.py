"""What separates what is from what should be; generic and pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclasses.dataclass(frozen=True, slots=True)
class Diff(Generic[K, V]):
    """Three maps: what to create, what to change (to which value), what to delete (and what it was)."""

    create: Mapping[K, V]
    change: Mapping[K, V]
    delete: Mapping[K, V]

    def __bool__(self) -> bool:
        return bool(self.create or self.change or self.delete)


def diff(desired: Mapping[K, V], actual: Mapping[K, V]) -> Diff[K, V]:
    """Return what turns `actual` into `desired`."""
    return Diff(
        create={k: v for k, v in desired.items() if k not in actual},
        change={k: v for k, v in desired.items() if k in actual and actual[k] != v},
        delete={k: v for k, v in actual.items() if k not in desired},
    )
