import dataclasses

import pytest

from records.memory import MemoryStore
from records.model import Backend, Retain, Volume, VolumeState
from records.writes import Delete, Insert, Update
from tests.volumes import BOOT, backend, holders, ready, volumes
from volplugin.plan.binds import Bind, Binds
from volplugin.plan.chores import Chores, done, trash_path
from volplugin.plan.share import SHARE, Share, Shares
from volplugin.volumes import find


def the_backend(store: MemoryStore) -> Backend:
    found = store.snapshot().backends.one(name="disk")
    assert found is not None
    return found


def share(store: MemoryStore, host: str = "a", boot: str = BOOT) -> Share | None:
    return Shares(host, boot, the_backend(store).id).want(store.snapshot(), SHARE)


def binds(store: MemoryStore, host: str = "a", boot: str = BOOT) -> dict[str, Bind | None]:
    planner, records = Binds(host, boot, the_backend(store).id), store.snapshot()
    return {records.volumes.rows[key].name: planner.want(records, key) for key in planner.keys(records)}


def test_a_host_that_holds_nothing_needs_no_share(store: MemoryStore) -> None:
    ready(store, "db")

    assert (None, {}) == (share(store), binds(store))


def test_a_held_volume_needs_its_share_and_its_bind_on_the_host_that_holds_it_alone(store: MemoryStore) -> None:
    ready(store, "db")
    holders(store, "a").hold("db", "m1")

    path = find(store.snapshot(), "db").path
    assert (Share(the_backend(store)), {"db": Bind(path)}) == (share(store, "a"), binds(store, "a"))
    assert (None, {}) == (share(store, "b"), binds(store, "b"))


def test_a_holder_of_an_earlier_boot_holds_nothing(store: MemoryStore) -> None:
    ready(store, "db")
    holders(store, boot="before").hold("db", "m1")

    assert (None, {}) == (share(store), binds(store))


def test_a_held_volume_of_another_backend_is_not_this_one_s_business(store: MemoryStore) -> None:
    store.commit([Insert(backend("other"))])
    ready(store, "db", backend="other")
    holders(store).hold("db", "m1")

    assert (None, {}) == (share(store), binds(store))


@pytest.mark.parametrize("state", [state for state in VolumeState if state is not VolumeState.READY])
def test_only_data_that_is_there_is_seen(store: MemoryStore, state: VolumeState) -> None:
    ready(store, "db")
    holders(store).hold("db", "m1")
    now = find(store.snapshot(), "db")
    store.commit([Update(now, dataclasses.replace(now, state=state))])

    assert {} == binds(store)


def test_its_steward_alone_brings_a_volume_on_and_needs_the_share_for_it(store: MemoryStore) -> None:
    made = volumes(store, "a").create("db", {})

    chores = {host: Chores(host, made.backend).want(store.snapshot(), made.id) for host in ("a", "b")}
    assert {"a": made, "b": None} == chores
    assert Share(the_backend(store)) == share(store, "a")
    assert share(store, "b") is None


def test_the_share_of_a_backend_that_is_gone_from_the_records_is_not_wanted(store: MemoryStore) -> None:
    gone = the_backend(store)
    store.commit([Delete(gone)])

    assert [] == Shares("a", BOOT, gone.id).keys(store.snapshot())


@pytest.mark.parametrize(
    ("state", "retain", "after"),
    [
        (VolumeState.MAKING, Retain.TRASH, VolumeState.READY),
        (VolumeState.RESTORING, Retain.TRASH, VolumeState.READY),
        (VolumeState.REMOVING, Retain.TRASH, VolumeState.TRASHED),
        (VolumeState.REMOVING, Retain.DELETE, VolumeState.DELETING),
        (VolumeState.REMOVING, Retain.KEEP, None),
        (VolumeState.DELETING, Retain.TRASH, None),
    ],
)
def test_a_chore_that_is_done_brings_the_volume_to_its_next_state(
    store: MemoryStore, state: VolumeState, retain: Retain, after: VolumeState | None
) -> None:
    ready(store, "db", retain=str(retain))
    volume = dataclasses.replace(find(store.snapshot(), "db"), state=state)

    write = done(volume)

    if after is None:
        assert Delete(volume) == write
    else:
        assert Update(volume, dataclasses.replace(volume, state=after)) == write


def test_the_trash_knows_a_volume_by_its_id(store: MemoryStore) -> None:
    made: Volume = volumes(store).create("db", {})

    assert f".trash/{made.id}" == trash_path(made)
