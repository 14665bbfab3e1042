import threading

import pytest

from daemonkit.errors import Unavailable
from records.hosts import ensure_host, own_host
from records.memory import MemoryStore
from records.snapshot import Records


def test_a_host_makes_its_record_once() -> None:
    store = MemoryStore()

    made = ensure_host(store, "a", "netplugin", "0.1")

    assert made == ensure_host(store, "a", "netplugin", "0.1") == own_host(store.snapshot(), "a")
    assert ("a", {"netplugin": "0.1"}) == (made.name, made.versions)


def test_its_record_tells_the_version_of_each_of_its_daemons() -> None:
    store = MemoryStore()
    first = ensure_host(store, "a", "netplugin", "0.1")
    ensure_host(store, "a", "volplugin", "0.1")

    now = ensure_host(store, "a", "netplugin", "0.2")

    assert (first.id, {"netplugin": "0.2", "volplugin": "0.1"}) == (now.id, now.versions)


def test_many_who_make_it_at_once_make_one() -> None:
    store = MemoryStore()
    threads = [threading.Thread(target=ensure_host, args=(store, "a", "netplugin", "0")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(store.snapshot().hosts)


def test_before_it_has_a_record_a_call_says_that_the_database_was_never_reached() -> None:
    with pytest.raises(Unavailable, match="records unavailable: host a has none of its own yet"):
        own_host(Records(), "a")
