import threading

import pytest

from daemonkit.errors import Unavailable
from netplugin.host import ensure_host, own_host, space_of
from records.memory import MemoryStore
from records.snapshot import Records


def test_a_host_makes_its_record_once() -> None:
    store = MemoryStore()

    made = ensure_host(store, "a", "0.1")

    assert made == ensure_host(store, "a", "0.2") == own_host(store.snapshot(), "a")
    assert ("a", {"netplugin": "0.1"}) == (made.name, made.versions)


def test_many_who_make_it_at_once_make_one() -> None:
    store = MemoryStore()
    threads = [threading.Thread(target=ensure_host, args=(store, "a", "0")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(store.snapshot().hosts)


def test_before_it_has_a_record_a_call_says_that_the_database_was_never_reached() -> None:
    with pytest.raises(Unavailable, match="records unavailable: host a has none of its own yet"):
        own_host(Records(), "a")


def test_a_host_has_an_address_space_of_its_own() -> None:
    store = MemoryStore()
    space, writes = space_of(store.snapshot(), "a")
    store.commit(writes)

    assert (space, []) == space_of(store.snapshot(), "a")
    assert space != space_of(store.snapshot(), "b")[0]
