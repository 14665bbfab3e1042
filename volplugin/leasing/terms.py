"""How old a lease may become, as its holder and as others judge it: pure, with the clock passed in.

Nobody compares clocks.  The holder counts from the moment before it sent a renewal that was committed, others from the
moment when they saw one: so the holder's count is always the older one, and what it does at a part of the lease time
has happened when others may take the lease.  The clock is CLOCK_BOOTTIME, which goes on while a machine sleeps.
"""

from __future__ import annotations

import dataclasses
from enum import Enum, IntEnum
from typing import Final

from records.model import HostId, Lease, LeaseId

RENEWALS: Final = 6  # in a lease time
FREEZE: Final = 1 / 2  # of the lease time without a renewal: containers that use the volume stop
KILL: Final = 2 / 3  # of it: they end; what is left is time for their end, and for what they wrote to reach the server
DRIFT: Final = 1.02  # how much longer others wait: two clocks differ by 0.1 % at most before NTP steps them
QUIET: Final = 2.5 / RENEWALS  # of the lease time: who has not renewed for so long is silent, not only slow


class Step(IntEnum):
    """What is to become of the containers that use a volume."""

    GO_ON = 0
    FREEZE = 1
    KILL = 2


def step(confirmed: float, seconds: float, now: float) -> Step:
    """Return what the holder of a lease does that was renewed last at `confirmed`.

    A clock that was set back tells nothing of the age: nobody writes until the next renewal.
    """
    age = now - confirmed
    if age < 0:
        return Step.FREEZE
    return Step.KILL if age >= seconds * KILL else Step.FREEZE if age >= seconds * FREEZE else Step.GO_ON


def bound(seconds: float) -> float:
    """Return for how long others must have seen no renewal before they may take a lease."""
    return seconds * DRIFT


class Life(Enum):
    """What one knows of another host's lease."""

    UNKNOWN = "unknown"  # looked at for too short a time to see a renewal
    ALIVE = "alive"  # renewed in time
    SILENT = "silent"  # not renewed in time, but not for long enough to take it
    EXPIRED = "expired"  # may be taken


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A lease as it was when its last change was seen."""

    host: HostId
    epoch: int
    renewals: int
    since: float  # when it was seen first so
    moved: bool  # whether it was seen otherwise before: then its holder lived at `since`


class Observer:
    """Watches the leases of other hosts; used under its owner's lock."""

    def __init__(self) -> None:
        self._seen: dict[LeaseId, Seen] = {}

    def look(self, lease: Lease, now: float) -> Seen:
        """Note how a lease is now, and return since when it is so."""
        seen = self._seen.get(lease.id)
        if seen is None:
            seen = Seen(lease.host, lease.epoch, lease.renewals, now, moved=False)
        elif (seen.host, seen.epoch, seen.renewals) != (lease.host, lease.epoch, lease.renewals):
            seen = Seen(lease.host, lease.epoch, lease.renewals, now, moved=True)
        elif now < seen.since:  # the clock was set back: it tells nothing of the time before
            seen = dataclasses.replace(seen, since=now, moved=False)
        self._seen[lease.id] = seen
        return seen

    def life(self, lease: Lease, now: float) -> Life:
        """Return what is known of a lease."""
        seen = self.look(lease, now)
        age = now - seen.since
        if age >= bound(lease.seconds):
            return Life.EXPIRED
        if age >= lease.seconds * QUIET:
            return Life.SILENT
        return Life.ALIVE if seen.moved else Life.UNKNOWN

    def left(self, lease: Lease, now: float) -> float:
        """Return in how many seconds it may be taken, if it is not renewed."""
        return max(0.0, self.look(lease, now).since + bound(lease.seconds) - now)

    def keep(self, there: set[LeaseId]) -> None:
        """Forget the others."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in there}
