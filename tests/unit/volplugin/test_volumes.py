import dataclasses

import pytest

from daemonkit.errors import BadRequest, Failed, InUse, NotFound, Unavailable
from records.memory import MemoryStore
from records.model import Retain, VolumeState
from records.writes import Delete, Insert, Update
from tests.volumes import backend, holders, ready, volumes
from volplugin.volumes import find


def test_a_volume_begins_as_a_record_with_a_path_of_its_own(store: MemoryStore) -> None:
    made = volumes(store).create("acme/db", {"mode": "0700"})

    assert made == find(store.snapshot(), "acme/db")
    assert (VolumeState.MAKING, 0o700, 1000, None) == (made.state, made.mode, made.created, made.host)
    assert f"acme/db-{made.id.hex[:8]}" == made.path


def test_the_same_call_again_changes_nothing(store: MemoryStore) -> None:
    made = volumes(store).create("db", {})

    assert made == volumes(store).create("db", {"size": "1G"})


def test_another_host_that_is_asked_for_a_volume_in_the_making_finishes_it(store: MemoryStore) -> None:
    made = volumes(store, "a").create("db", {})

    taken = volumes(store, "b").create("db", {})

    b = store.snapshot().hosts.one(name="b")
    assert b is not None
    assert dataclasses.replace(made, steward=b.id) == taken


def test_a_volume_of_a_local_backend_is_of_the_host_it_was_made_on(store: MemoryStore) -> None:
    store.commit([Insert(backend("own", kind="local"))])

    made = volumes(store, "a").create("db", {"backend": "own"})

    a = store.snapshot().hosts.one(name="a")
    assert a is not None
    assert a.id == made.host
    with pytest.raises(Failed, match="its data is on host a"):
        holders(store, "b").hold("db", "m1")


def test_which_backend_must_be_said_where_there_are_several(store: MemoryStore) -> None:
    store.commit([Insert(backend("nfs2"))])

    with pytest.raises(BadRequest, match="which backend"):
        volumes(store).create("db", {})
    assert "nfs2" == next(
        b.name for b in store.snapshot().backends if b.id == volumes(store, default="nfs2").create("db", {}).backend
    )


def test_without_a_backend_the_operator_is_told_what_to_do(store: MemoryStore) -> None:
    (only,) = store.snapshot().backends
    store.commit([Delete(only)])

    with pytest.raises(BadRequest, match="moorage backend add"):
        volumes(store).create("db", {})


def test_a_tenant_is_said_once(store: MemoryStore) -> None:
    with pytest.raises(BadRequest, match="contradicts the name"):
        volumes(store).create("acme/db", {"tenant": "other"})


def test_before_the_host_has_a_record_nothing_is_made() -> None:
    with pytest.raises(Unavailable, match="host a has none of its own yet"):
        volumes(MemoryStore()).create("db", {})


@pytest.mark.parametrize("retain", list(Retain))
def test_a_removed_volume_frees_its_name_at_once_and_keeps_its_row(store: MemoryStore, retain: Retain) -> None:
    ready(store, "db", retain=str(retain))

    volumes(store, now=5.0).remove("db")

    (row,) = store.snapshot().volumes
    assert (VolumeState.REMOVING, 5000, retain) == (row.state, row.removed, row.retain)
    with pytest.raises(NotFound):
        find(store.snapshot(), "db")
    assert row.id != volumes(store).create("db", {}).id


def test_a_volume_in_use_on_any_host_is_not_removed(store: MemoryStore) -> None:
    ready(store, "db")
    holders(store, "b").hold("db", "m1")

    with pytest.raises(InUse, match="volume db is in use by a container on host b"):
        volumes(store, "a").remove("db")


def test_what_does_not_exist_is_removed_already(store: MemoryStore) -> None:
    assert volumes(store).remove("nothing") is None


def test_a_volume_whose_data_could_not_be_made_is_taken_back(store: MemoryStore) -> None:
    made = volumes(store).create("db", {})

    volumes(store).give_up(made)

    (row,) = store.snapshot().volumes
    assert VolumeState.DELETING == row.state
    assert row.removed


def test_imported_data_is_left_alone_when_its_volume_is_taken_back(store: MemoryStore) -> None:
    made = volumes(store).create("db", {})
    imported = dataclasses.replace(made, imported=True)
    store.commit([Update(made, imported)])

    volumes(store).give_up(imported)

    (row,) = store.snapshot().volumes
    assert (VolumeState.REMOVING, Retain.KEEP) == (row.state, row.retain)


def test_a_volume_that_another_host_has_taken_over_is_not_taken_back(store: MemoryStore) -> None:
    made = volumes(store, "a").create("db", {})
    taken = volumes(store, "b").create("db", {})

    volumes(store, "a").give_up(made)

    assert taken == find(store.snapshot(), "db")
