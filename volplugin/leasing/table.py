"""The leases of this host, with when each was renewed last: in memory, and in a file that the guard reads.

The file is in /run and gone with the boot; it is written whole or not at all.  What stands in it is all that a guard
needs to stop the containers of a volume, whatever has become of the daemon.
"""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec
import structlog

from records.model import Lease, VolumeId

LOST = -1e18  # when a lease was renewed last that another host has taken: too long ago, by every bound

log = structlog.get_logger()


class Term(msgspec.Struct, frozen=True):
    """A lease of this host."""

    target: str  # where the volume is mounted on this host
    epoch: int
    seconds: float
    confirmed: float  # CLOCK_BOOTTIME before the last renewal that was committed was sent


class Page(msgspec.Struct, frozen=True):
    """The file: terms by volume."""

    boot: str
    terms: dict[str, Term]


def read(file: Path, boot: str) -> dict[VolumeId, Term]:
    """Return what a daemon of this boot noted; nothing where there was none."""
    try:
        page = msgspec.json.decode(file.read_bytes(), type=Page)
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:  # not of ours: written whole
        log.warning("leases unreadable", file=str(file), reason=str(error))
        return {}
    return {VolumeId(uuid.UUID(key)): term for key, term in page.terms.items()} if page.boot == boot else {}


class Terms:
    """The table; from any thread."""

    def __init__(self, file: Path, boot: str, changed: Callable[[], None] = lambda: None) -> None:
        """Go on from what a daemon before us noted; `changed` is called after each change, under the table's lock."""
        self._file = file
        self._boot = boot
        self._changed = changed
        self._lock = threading.Lock()
        self._terms = read(file, boot)

    def all(self) -> Mapping[VolumeId, Term]:
        """Return the terms as they are now."""
        with self._lock:
            return dict(self._terms)

    def confirm(self, leases: Collection[tuple[Lease, str]], at: float) -> None:
        """Note that these leases, with the targets of their volumes, were ours when asked at `at`."""
        with self._lock:
            for lease, target in leases:
                known = self._terms.get(lease.volume)
                newest = known.confirmed if known is not None and known.epoch == lease.epoch else at
                self._terms[lease.volume] = Term(target, lease.epoch, lease.seconds, max(at, newest))
            self._save()

    def lose(self, volume: VolumeId, epoch: int) -> None:
        """Note that another host has the lease, or nobody."""
        with self._lock:
            known = self._terms.get(volume)
            if known is not None and known.epoch == epoch and known.confirmed != LOST:
                self._terms[volume] = msgspec.structs.replace(known, confirmed=LOST)
                self._save()

    def forget(self, volume: VolumeId, epoch: int | None = None) -> None:
        """Drop a lease (of that epoch only), of which nothing is mounted any more."""
        with self._lock:
            known = self._terms.get(volume)
            if known is not None and epoch in {None, known.epoch}:
                del self._terms[volume]
                self._save()

    def _save(self) -> None:
        page = Page(self._boot, {str(key): term for key, term in self._terms.items()})
        new = self._file.with_suffix(".new")
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(msgspec.json.encode(page))
        new.rename(self._file)
        self._changed()


@dataclasses.dataclass(frozen=True, slots=True)
class Leasing:
    """What a host needs to take part in leases."""

    seconds: int  # of the leases that it takes
    terms: Terms
    clock: Callable[[], float]  # CLOCK_BOOTTIME
