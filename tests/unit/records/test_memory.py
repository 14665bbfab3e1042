from __future__ import annotations

import pytest

from records.errors import Unavailable
from records.memory import MemoryStore
from records.writes import Insert
from tests.examples import world

W = world()


def test_a_store_that_is_cut_reads_on_and_refuses_commits_until_it_is_mended() -> None:
    store = MemoryStore()
    store.commit([Insert(W.tenant)])
    store.cut("records unavailable: cut by the test")

    with pytest.raises(Unavailable, match="cut by the test"):
        store.commit([Insert(W.host)])
    assert "records unavailable: cut by the test" == store.problem()
    assert 1 == len(store.snapshot().tenants)

    store.mend()
    assert 1 == len(store.commit([Insert(W.host)]).hosts)


def test_a_lock_is_not_held_while_the_store_is_cut() -> None:
    store = MemoryStore()
    with store.lock("reaper") as held:
        assert held()
        store.cut()
        assert not held()
        store.mend()
        assert held()
    store.close()


def test_a_store_may_begin_with_records() -> None:
    begun = MemoryStore()
    begun.commit(W.inserts)

    assert W.host == MemoryStore(begun.snapshot()).snapshot().hosts.get(W.host.id)
