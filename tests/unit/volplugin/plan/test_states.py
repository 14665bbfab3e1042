"""The table of states, walked cell by cell: whatever a volume is, and wherever its steward dies, it ends at rest."""

import dataclasses

import pytest

from records.memory import MemoryStore
from records.model import Retain, Volume, VolumeState
from records.writes import Delete
from tests.volumes import ready
from volplugin.plan.chores import Outcome, Step, done, step
from volplugin.plan.needs import at_rest
from volplugin.volumes import find

# Where a volume ends, of which nobody wants anything else; None: its row has gone.
ENDS = {
    VolumeState.MAKING: VolumeState.READY,
    VolumeState.READY: VolumeState.READY,
    VolumeState.RESTORING: VolumeState.READY,
    VolumeState.TRASHED: VolumeState.TRASHED,
    VolumeState.DELETING: None,
}
REMOVED = {Retain.TRASH: VolumeState.TRASHED, Retain.DELETE: None, Retain.KEEP: None}
CELLS = [
    (state, retain, imported) for state in VolumeState for retain in Retain for imported in (False, True)
]  # fmt: skip


class Disk:
    """Where a volume's data is, as the verbs of the worker leave it."""

    def __init__(self, volume: Volume) -> None:
        trashed = volume.state in {VolumeState.TRASHED, VolumeState.RESTORING}
        self.at = {"trash"} if trashed else set()
        if not trashed and (volume.state is not VolumeState.MAKING or volume.imported):
            self.at = {"path"}

    def do(self, what: Step) -> Outcome:
        match what:
            case Step.MAKE:
                self.at = {"path"}
            case Step.DISCARD | Step.RESTORE:
                source, target = ("path", "trash") if what is Step.DISCARD else ("trash", "path")
                if source in self.at:
                    self.at = {target}
                return Outcome(missing=not self.at)
            case Step.DELETE:
                self.at = set()
            case _:
                pass
        return Outcome()


def brought_on(volume: Volume, deaths: int) -> tuple[Volume | None, Disk]:
    """Do what is to be done until nothing is; each step is done, and its record lost, `deaths` times before."""
    disk, now = Disk(volume), volume
    for _ in range(10):
        if at_rest(now):
            return now, disk
        for _ in range(deaths):
            disk.do(step(now))
        write = done(now, disk.do(step(now)))
        if isinstance(write, Delete):
            return None, disk
        now = write.new  # type: ignore[union-attr,assignment]  # an Update of a volume
    raise AssertionError(f"it never rests: {volume}")


@pytest.mark.parametrize("deaths", [0, 1, 2])
@pytest.mark.parametrize(("state", "retain", "imported"), CELLS)
def test_a_volume_ends_where_it_should(
    store: MemoryStore, state: VolumeState, retain: Retain, imported: bool, deaths: int
) -> None:
    ready(store, "db")
    volume = dataclasses.replace(find(store.snapshot(), "db"), state=state, retain=retain, imported=imported)

    ended, disk = brought_on(volume, deaths)

    wanted = REMOVED[retain] if state is VolumeState.REMOVING else ENDS[state]
    assert wanted == (None if ended is None else ended.state)
    data = {VolumeState.READY: {"path"}, VolumeState.TRASHED: {"trash"}, None: set[str]()}[wanted]
    kept = state is VolumeState.REMOVING and retain is Retain.KEEP
    assert ({"path"} if kept else data) == disk.at


@pytest.mark.parametrize("imported", [False, True])
def test_an_imported_directory_is_found_and_not_made(store: MemoryStore, imported: bool) -> None:
    ready(store, "db")
    volume = dataclasses.replace(find(store.snapshot(), "db"), state=VolumeState.MAKING, imported=imported)

    assert (Step.ADOPT if imported else Step.MAKE) is step(volume)


def test_removed_data_that_was_missing_leaves_no_row_that_waits_for_it(store: MemoryStore) -> None:
    ready(store, "db")
    volume = dataclasses.replace(find(store.snapshot(), "db"), state=VolumeState.REMOVING)

    assert Delete(volume) == done(volume, Outcome(missing=True))


def test_what_enforces_a_size_and_that_it_is_enforced_is_noted_together(store: MemoryStore) -> None:
    ready(store, "db", size="10M")
    volume = dataclasses.replace(find(store.snapshot(), "db"), state=VolumeState.MAKING)

    made = done(volume, Outcome(size_by="image")).new  # type: ignore[union-attr]

    assert ("image", 10 * 2**20) == (made.size_by, made.sized)  # type: ignore[union-attr]
    assert at_rest(made)  # type: ignore[arg-type]


def test_a_volume_that_is_to_hold_more_is_not_at_rest_until_it_may(store: MemoryStore) -> None:
    ready(store, "db")
    small = dataclasses.replace(find(store.snapshot(), "db"), size=20, sized=10, size_by="image")

    assert not at_rest(small)
    assert Step.GROW is step(small)
    assert at_rest(done(small).new)  # type: ignore[union-attr,arg-type]
