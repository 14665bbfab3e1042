import dataclasses

import pytest

from daemonkit.errors import BadRequest, NotFound
from records.memory import MemoryStore
from records.writes import Update
from tests.volumes import holders, ready


def counts(store: MemoryStore) -> dict[str, int]:
    return {holder.mount: holder.count for holder in store.snapshot().holders}


@pytest.fixture
def store(store: MemoryStore) -> MemoryStore:
    ready(store, "db")
    return store


def test_each_container_s_use_is_counted_by_its_id(store: MemoryStore) -> None:
    for mount in ("m1", "m2", "m1"):
        holders(store).hold("db", mount)

    assert {"m1": 2, "m2": 1} == counts(store)


def test_a_use_ends_with_as_many_unmounts_as_there_were_mounts(store: MemoryStore) -> None:
    holders(store).hold("db", "m1")
    holders(store).hold("db", "m1")

    assert holders(store).release("db", "m1") is not None
    assert {"m1": 1} == counts(store)
    assert holders(store).release("db", "m1") is not None
    assert {} == counts(store)


@pytest.mark.parametrize(("name", "mount"), [("db", "m2"), ("other", "m2")])
def test_what_was_never_held_is_given_back_already(store: MemoryStore, name: str, mount: str) -> None:
    holders(store).hold("db", "m1")

    assert holders(store).release(name, mount) is None
    assert {"m1": 1} == counts(store)


def test_after_a_reboot_of_the_host_counting_begins_anew(store: MemoryStore) -> None:
    for _ in range(3):
        holders(store, boot="before").hold("db", "m1")

    holders(store, boot="after").hold("db", "m1")

    (row,) = store.snapshot().holders
    assert (1, "after") == (row.count, row.boot)


def test_the_same_id_on_two_hosts_is_two_uses(store: MemoryStore) -> None:
    holders(store, "a").hold("db", "m1")
    holders(store, "b").hold("db", "m1")

    holders(store, "a").release("db", "m1")

    assert 1 == len(store.snapshot().holders)


def test_a_volume_that_does_not_exist_cannot_be_held(store: MemoryStore) -> None:
    with pytest.raises(NotFound, match="volume nothing does not exist"):
        holders(store).hold("nothing", "m1")


@pytest.mark.parametrize("mount", ["", "a/b", "x" * 129, "a b"])
def test_an_id_that_docker_would_not_send_is_refused(store: MemoryStore, mount: str) -> None:
    with pytest.raises(BadRequest, match="is not an id of a mount"):
        holders(store).hold("db", mount)


def test_what_a_container_held_when_its_volume_was_renamed_is_given_back_by_its_id(store: MemoryStore) -> None:
    held = holders(store).hold("db", "m1")
    store.commit([Update(held, dataclasses.replace(held, name="renamed"))])

    found = holders(store).release("db", "m1")

    assert found is not None
    assert "renamed" == found.name
    assert [] == list(store.snapshot().holders)
