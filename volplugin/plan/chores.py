"""What this host has to do for a backend's volumes: their data is made, removed, brought back, deleted."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from enum import Enum, auto

from records.model import BackendId, Retain, Volume, VolumeId, VolumeState
from records.snapshot import Records
from records.writes import Delete, Update, Write
from volplugin.plan import needs

TRASH = ".trash"  # directory of a share


class Step(Enum):
    """What is done at the backend."""

    MAKE = auto()  # a directory for it
    ADOPT = auto()  # a directory that is there
    DISCARD = auto()  # into the trash
    FORGET = auto()  # it stays, and is nobody's
    CONDEMN = auto()  # nothing at the backend yet: it is deleted next
    RESTORE = auto()  # out of the trash
    DELETE = auto()
    GROW = auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step."""

    missing: bool = False  # there is no such data on the backend any more
    size_by: str | None = None  # what enforces its size, where it was made


DONE = Outcome()


@dataclasses.dataclass(frozen=True, slots=True)
class Chores:
    """Planner of what one host does for one backend's volumes, but for deletions."""

    host: str
    backend: BackendId

    def keys(self, source: Records) -> Collection[VolumeId]:
        """See `daemonkit.layer.Planner`."""
        return [volume.id for volume in needs.chores(source, self.host, self.backend)]

    def want(self, source: Records, key: VolumeId) -> Volume | None:
        """See `daemonkit.layer.Planner`."""
        volume = needs.steward_of(source, self.host, self.backend, key)
        return volume if volume is not None and needs.is_chore(volume) else None


@dataclasses.dataclass(frozen=True, slots=True)
class Deletions:
    """Planner of which data one host deletes for one backend."""

    host: str
    backend: BackendId

    def keys(self, source: Records) -> Collection[VolumeId]:
        """See `daemonkit.layer.Planner`."""
        return [volume.id for volume in needs.deletions(source, self.host, self.backend)]

    def want(self, source: Records, key: VolumeId) -> Volume | None:
        """See `daemonkit.layer.Planner`."""
        volume = needs.steward_of(source, self.host, self.backend, key)
        return volume if volume is not None and volume.state is VolumeState.DELETING else None


_STEPS = {
    VolumeState.MAKING: Step.MAKE,
    VolumeState.READY: Step.GROW,
    VolumeState.RESTORING: Step.RESTORE,
    VolumeState.DELETING: Step.DELETE,
}
_REMOVALS = {Retain.TRASH: Step.DISCARD, Retain.DELETE: Step.CONDEMN, Retain.KEEP: Step.FORGET}

# What a volume is after a step; None: its row goes too.
_AFTER = {
    Step.MAKE: VolumeState.READY,
    Step.ADOPT: VolumeState.READY,
    Step.DISCARD: VolumeState.TRASHED,
    Step.FORGET: None,
    Step.CONDEMN: VolumeState.DELETING,
    Step.RESTORE: VolumeState.READY,
    Step.DELETE: None,
    Step.GROW: VolumeState.READY,
}


def step(volume: Volume) -> Step:
    """Return what is to be done for a volume that is not at rest."""
    if volume.state is VolumeState.REMOVING:
        return _REMOVALS[volume.retain]
    if volume.state is VolumeState.MAKING and volume.imported:
        return Step.ADOPT
    return _STEPS[volume.state]


def done(volume: Volume, outcome: Outcome = DONE) -> Write:
    """Return the write that follows a volume's step."""
    after = _AFTER[did := step(volume)]
    if after is None or (did is Step.DISCARD and outcome.missing):
        return Delete(volume)
    changed = dataclasses.replace(volume, state=after, problem=None)
    if did is Step.MAKE:
        changed = dataclasses.replace(changed, size_by=outcome.size_by, sized=volume.size)
    elif did is Step.GROW:
        changed = dataclasses.replace(changed, sized=volume.size)
    return Update(volume, changed)


def freed(records: Records, write: Write) -> list[Write]:
    """Return what goes with a volume's record, where `write` is its end: fences against hosts that never came back."""
    if not isinstance(write, Delete) or not isinstance(write.old, Volume):
        return []
    return [Delete(fence) for fence in records.fences.of(volume=write.old.id)]


def trash_path(volume: Volume) -> str:
    """Return where a removed volume's data is, below the share."""
    return f"{TRASH}/{volume.id}"
