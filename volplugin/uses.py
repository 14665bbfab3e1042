"""What becomes of the records of a host's holders when their end is in doubt; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

from records.model import Holder
from records.snapshot import Records
from records.writes import Delete, Keep, Update, Write

Decided = tuple[list[Write], int]  # and how many holders that concerns


def held(records: Records, host: str, boot: str) -> list[Holder]:
    """Return what the host's containers hold; a holder of an earlier boot holds nothing."""
    own = records.hosts.one(name=host)
    return [] if own is None else [holder for holder in records.holders.of(host=own.id) if holder.boot == boot]


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a volume's holders on one host."""

    sure: Collection[Holder] = ()
    ended: Collection[Holder] = ()  # as it seems


def judge(known: Collection[Holder], listed: int, seen: int) -> Judged:
    """Say which of one volume's holders are certain, and which seem to have ended.

    Docker does not tell the ids of mounts, only how many its running containers have (`listed`); `seen` are the mount
    namespaces that have it, which may be more than there are containers.
    """
    if len(known) <= listed:
        return Judged(sure=known)
    if (used := max(listed, seen)) == 0:
        return Judged(ended=known)
    doubted = [holder for holder in known if not holder.confirmed]
    return Judged(ended=doubted if len(known) - len(doubted) >= used else ())


def doubt(records: Records, host: str, boot: str) -> Decided:
    """Count each once: a new dockerd asks again with the same id for a container that it starts anew (PROTOCOL 4.2)."""
    writes: list[Write] = [
        Update(holder, dataclasses.replace(holder, count=1, confirmed=False))
        for holder in held(records, host, boot)
        if holder.confirmed or holder.count > 1
    ]
    return writes, len(writes)


def void(records: Records, host: str, boot: str) -> Decided:
    """Remove those of earlier boots of the host: they hold nothing."""
    own = records.hosts.one(name=host)
    there = [holder for holder in records.holders.of(host=own.id) if holder.boot != boot] if own is not None else []
    return [write for holder in there for write in removed(holder)], len(there)


def confirm(records: Records, sure: Collection[Holder]) -> Decided:
    """Believe what Docker's list of containers accounts for."""
    writes: list[Write] = [
        Update(holder, dataclasses.replace(holder, confirmed=True))
        for holder in sure
        if not holder.confirmed and records.holders.get(holder.id) == holder
    ]
    return writes, len(writes)


def end(records: Records, holder: Holder) -> Decided:
    """Remove a holder, unless a call has changed it meanwhile."""
    if records.holders.get(holder.id) != holder:
        return [], 0
    return list(removed(holder)), 1


def removed(holder: Holder) -> Iterator[Write]:
    """Yield what removes a holder, unless somebody counts on it meanwhile."""
    yield Keep(holder)
    yield Delete(holder)
