import dataclasses

import pytest

from records.memory import MemoryStore
from records.model import VolumeState
from records.writes import Update
from tests.volumes import trashed
from volplugin import changes
from volplugin.backends.common import duration, trash_for
from volplugin.backends.kind import BadDefinition, Definition
from volplugin.backends.registry import checked
from volplugin.sweeper import Sweeper, expired


def test_what_was_in_the_trash_for_its_time_is_deleted_by_its_steward(store: MemoryStore) -> None:
    gone = trashed(store, "db", at=1000.0)

    def due(host: str, now: float) -> list[str]:
        return [volume.name for volume in expired(store.snapshot(), host, 100.0, now)]

    assert [[], ["db"], []] == [due("a", 1099.9), due("a", 1100.0), due("b", 1100.0)]

    Sweeper(store, "a", 100.0, lambda: 1100.0).sweep()

    assert dataclasses.replace(gone, state=VolumeState.DELETING) == store.snapshot().volumes.get(gone.id)


def test_a_backend_says_how_long_its_own_trash_lasts(store: MemoryStore) -> None:
    trashed(store, "db", at=1000.0)
    disk = store.snapshot().backends.one(name="disk")
    assert disk is not None
    store.commit([Update(disk, dataclasses.replace(disk, options={"trash": "2m"}))])

    assert [] == expired(store.snapshot(), "a", 100.0, 1119.0)
    assert 1 == len(expired(store.snapshot(), "a", 100.0, 1120.0))


def test_what_came_back_meanwhile_is_not_deleted(store: MemoryStore) -> None:
    trashed(store, "db", at=1000.0)
    sweeper = Sweeper(store, "a", 100.0, lambda: changes.restore(store, "db", "a").removed + 5000.0)

    sweeper.sweep()

    assert [VolumeState.RESTORING] == [volume.state for volume in store.snapshot().volumes]


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("2w", 1209600)]
)
def test_times_are_whole_numbers_with_a_unit(text: str, seconds: int) -> None:
    assert seconds == duration(text)


@pytest.mark.parametrize("text", ["", "0s", "7", "1.5h", "-1d", "7 d", "3651d", "1y"])
def test_other_times_are_refused_where_a_backend_is_defined(text: str) -> None:
    with pytest.raises(BadDefinition, match="is not a time of 1s to 3650d"):
        checked(Definition(name="disk", kind="local", source="/srv", options={"trash": text}))


def test_a_time_that_was_never_checked_is_as_if_there_were_none() -> None:
    assert 5.0 == trash_for({"trash": "soon"}, 5.0)
