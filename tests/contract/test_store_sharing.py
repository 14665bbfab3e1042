"""What every store offers those who share it: watching, deciding again after a conflict, locks."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import threading
import uuid
from collections.abc import Sequence

import pytest

from records import store as verbs
from records.errors import Duplicate
from records.model import BlockId
from records.snapshot import Records
from records.store import Change, Store
from records.writes import Delete, Insert, Update, Write
from tests.examples import World
from tests.waiting import in_threads, until


def test_a_watcher_sees_each_revision_after_the_snapshot_shows_it(store: Store, w: World) -> None:
    seen: list[tuple[Sequence[Change], bool]] = []
    done = threading.Event()

    def watcher(changes: Sequence[Change]) -> None:
        snapshot = store.snapshot()
        shown = all(snapshot.tables[c.new.TABLE].get(c.new.id) == c.new for c in changes if c.new is not None)
        seen.append((changes, shown))
        if any(change.new is None for change in changes):
            done.set()

    moved = dataclasses.replace(w.block, last=ipaddress.ip_address("10.1.0.9"))
    store.watch(watcher)
    endpoint = w.endpoint(2)
    store.commit([Insert(endpoint)])
    store.commit([Update(w.block, moved)])
    store.commit([Delete(moved)])

    assert done.wait(5)
    assert [[Change(None, endpoint)], [Change(w.block, moved)], [Change(moved, None)]] == [list(c) for c, _ in seen]
    assert all(shown for _, shown in seen)


def test_a_watcher_hears_nothing_of_a_commit_that_was_refused(store: Store, w: World) -> None:
    seen: list[Sequence[Change]] = []
    store.watch(seen.append)

    with pytest.raises(Duplicate):
        store.commit([Insert(dataclasses.replace(w.block, id=BlockId(uuid.uuid4())))])
    store.commit([Delete(w.block)])

    assert [[Change(w.block, None)]] == [list(changes) for changes in seen]


def test_one_who_decides_looks_again_after_a_conflict(store: Store, w: World) -> None:
    looks = 0

    def decision(records: Records) -> tuple[Sequence[Write], int]:
        nonlocal looks
        looks += 1
        space = records.spaces.get(w.space.id)
        assert space is not None
        if looks == 1:  # somebody else, between look and commit
            store.commit([Update(space, dataclasses.replace(space, revision=10))])
        return [Update(space, dataclasses.replace(space, revision=space.revision + 1))], space.revision

    assert 10 == verbs.decide(store, decision)
    assert 2 == looks


def test_many_threads_that_count_up_one_number_lose_no_count(store: Store, w: World) -> None:
    def count(records: Records) -> tuple[Sequence[Write], int]:
        space = records.spaces.get(w.space.id)
        assert space is not None
        return [Update(space, dataclasses.replace(space, revision=space.revision + 1))], space.revision

    seen: list[int] = []

    def work() -> None:
        seen.extend(verbs.decide(store, count, within=20) for _ in range(5))

    in_threads([work] * 8)

    assert list(range(40)) == sorted(seen)


def test_many_threads_that_insert_get_all_their_records(store: Store, w: World) -> None:
    def insert(worker: int) -> None:
        for n in range(1, 6):
            store.commit([Insert(w.endpoint(worker * 10 + n))])

    in_threads([functools.partial(insert, worker) for worker in range(8)])

    assert 40 == len(store.snapshot().endpoints)


def test_of_those_who_queue_for_a_lock_one_holds_it(store: Store) -> None:
    with store.lock("reaper") as first:
        until(first)
        with store.lock("reaper") as second, store.lock("other") as other:
            until(other)
            assert first()
            assert not second()

    with store.lock("reaper") as third:
        until(third)


def test_the_next_in_the_queue_gets_the_lock(store: Store) -> None:
    with store.lock("reaper") as first:
        until(first)
        second = store.lock("reaper")
        held = second.__enter__()

    until(held)
    second.__exit__(None, None, None)


def test_a_store_that_can_be_changed_has_no_problem(store: Store, w: World) -> None:
    assert store.problem() is None
