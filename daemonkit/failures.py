"""What is not as it should be, why, since when, and when it is tried again; not thread-safe: the loop locks."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Hashable, Iterable

RETRY_FIRST, RETRY_LAST = 0.1, 10.0  # seconds to the first repetition, and at most between two
JITTER = 0.2  # part of the wait, so that what failed together is not repeated together

Key = tuple[str, Hashable]  # (layer, key)


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """Why a key is not as it should be.  Times are monotonic seconds."""

    reason: str
    tries: int
    since: float
    again: float  # when it is tried again


class Failures:
    """The failures of now, one a key."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._failures: dict[Key, Failure] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._failures

    def __len__(self) -> int:
        return len(self._failures)

    def copy(self) -> dict[Key, Failure]:
        """Return them as they are now."""
        return dict(self._failures)

    def reasons(self, keys: Iterable[Key]) -> dict[Key, str]:
        """Return why those of `keys` that fail do."""
        return {key: self._failures[key].reason for key in keys if key in self._failures}

    def of(self, layer: str) -> list[Key]:
        """Return the keys of a layer that fail."""
        return [key for key in self._failures if key[0] == layer]

    def add(self, key: Key, reason: str, now: float) -> bool:
        """Note a failure; return whether it is news: the key was well, or failed for another reason."""
        old = self._failures.get(key)
        tries = old.tries + 1 if old else 1
        wait = min(RETRY_FIRST * 2.0 ** min(tries - 1, 20), RETRY_LAST) * (1 + JITTER * (2 * self._chance() - 1))
        self._failures[key] = Failure(reason, tries, old.since if old else now, now + wait)
        return old is None or old.reason != reason

    def remove(self, key: Key) -> Failure | None:
        """Note that a key is well; return how it failed before, if it did."""
        return self._failures.pop(key, None)

    def due(self, now: float) -> set[Key]:
        """Return the keys that are to be tried again."""
        return {key for key, failure in self._failures.items() if failure.again <= now}

    def next(self) -> float:
        """Return when the first key is to be tried again."""
        return min((failure.again for failure in self._failures.values()), default=math.inf)
