"""The four verbs over the records that every daemon uses; OVSDB and the in-memory twin both speak them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from records.errors import Conflict, Unavailable
from records.model import Record
from records.snapshot import Records
from records.writes import Write

COMMIT_WITHIN = 5.0  # seconds that a request waits for the database before it tells its caller

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One record that came (`old` is None), changed, or went (`new` is None)."""

    old: Record | None
    new: Record | None


Watcher = Callable[[Sequence[Change]], None]


class Store(Protocol):
    """All records, and the only way to change them.  Methods may be called from any thread."""

    def snapshot(self) -> Records:
        """All records at one revision, from memory."""

    def commit(self, writes: Sequence[Write], *, within: float = COMMIT_WITHIN) -> Records:
        """Make all of `writes`, or none, durably, and return a snapshot that shows them.

        Raises:
            Conflict: somebody else was first (Duplicate, Referenced say how).
            Unavailable: no answer within `within` seconds; it may have taken effect.

        """

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` with what changed, after each revision; from the store's thread, so it must not wait."""

    def lock(self, name: str) -> AbstractContextManager[Callable[[], bool]]:
        """Queue for the cluster-wide lock; the value tells whether we hold it now (a lost leader loses it)."""

    def problem(self) -> str | None:
        """Why the records cannot be changed now, or None."""

    def close(self) -> None:
        """End the connection and the thread."""


def decide(
    store: Store,
    decision: Callable[[Records], tuple[Sequence[Write], T]],
    *,
    within: float = COMMIT_WITHIN,
) -> T:
    """Look, decide and commit, and again from the newest records while somebody else is first.

    `decision` must be pure: it is called again after a conflict.  When it returns no writes nothing is committed.

    Raises:
        Unavailable: the database did not answer in time, or others were first for all that time.

    """
    until = time.monotonic() + within
    while True:
        records = store.snapshot()
        writes, result = decision(records)
        if not writes:
            return result
        left = until - time.monotonic()
        try:
            store.commit(writes, within=max(left, 0.001))
        except Conflict as conflict:
            if left <= 0:
                msg = f"records are changing too fast: gave up after {within:g} s ({conflict})"
                raise Unavailable(msg) from conflict
            continue
        return result
