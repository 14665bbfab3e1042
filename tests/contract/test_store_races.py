"""What becomes of commits when processes race for one thing, and when the server dies in the middle."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import multiprocessing
import threading
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from typing import Any

from records import store as verbs
from records.errors import Duplicate, Unavailable
from records.ovsdb import OvsdbStore
from records.snapshot import Records
from records.writes import Insert, Update, Write
from tests.database import Database
from tests.examples import World
from tests.waiting import in_threads, until


def _take_addresses(remote: str, w: World, start: Barrier, results: Any) -> None:
    """Run in a process: want twenty addresses, all at the moment when the other wants them."""
    with contextlib.closing(OvsdbStore(remote)) as store:
        assert store.ready(5)
        got = []
        for n in range(20):
            start.wait(10)
            try:
                store.commit([Insert(w.address(f"10.1.0.{n + 2}"))])
                got.append(n)
            except Duplicate:
                pass
        results.put(got)


def test_of_two_processes_that_want_an_address_exactly_one_gets_it(
    database: Database, ovsdb: OvsdbStore, w: World
) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(2), spawn.Queue()
    racers = [spawn.Process(target=_take_addresses, args=(database.remote, w, start, results)) for _ in range(2)]
    for racer in racers:
        racer.start()

    one, other = results.get(timeout=60), results.get(timeout=60)

    for racer in racers:
        racer.join()
    assert list(range(20)) == sorted(one + other)
    until(lambda: len(ovsdb.snapshot().addresses) == 20)


def test_many_threads_that_allocate_from_one_block_get_different_addresses(
    database: Database, ovsdb: OvsdbStore, w: World
) -> None:
    stores = [ovsdb, OvsdbStore(database.remote), OvsdbStore(database.remote)]
    assert all(other.ready(5) for other in stores)
    got: list[str] = []

    def allocate(records: Records) -> tuple[Sequence[Write], str]:
        block = records.blocks.get(w.block.id)
        assert block is not None
        ip = (block.last or block.cidr.network_address + 1) + 1
        moved = dataclasses.replace(block, last=ip)
        return [Update(block, moved), Insert(w.address(str(ip)))], str(ip)

    def work(mine: OvsdbStore) -> None:
        until(lambda: mine.snapshot().blocks.get(w.block.id) is not None)
        got.extend(verbs.decide(mine, allocate, within=30) for _ in range(5))

    in_threads([lambda mine=mine: work(mine) for mine in stores for _ in range(3)])  # type: ignore[misc]

    assert [f"10.1.0.{n}" for n in range(2, 47)] == sorted(got, key=ipaddress.ip_address)
    for other in stores[1:]:
        other.close()


def test_a_server_killed_in_mid_commit_keeps_all_or_nothing_and_what_it_acknowledged(
    database: Database, ovsdb: OvsdbStore, w: World
) -> None:
    acknowledged: set[int] = set()
    stop = threading.Event()

    def work(worker: int) -> None:
        n = worker * 1000
        while not stop.is_set():
            n += 1
            pair = [Insert(w.endpoint(n + 1)), Insert(w.address(str(ipaddress.ip_address("10.1.0.0") + n)))]
            with contextlib.suppress(Unavailable):
                ovsdb.commit(pair, within=2)
                acknowledged.add(n)

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(3):
        before = len(acknowledged)
        until(lambda before=before: len(acknowledged) > before + 20)  # type: ignore[misc]
        database.kill()
        database.start()
    stop.set()
    for worker in workers:
        worker.join()

    with contextlib.closing(OvsdbStore(database.remote)) as fresh:
        assert fresh.ready(5)
        found = fresh.snapshot()
        endpoints = {endpoint.ofport - 1 for endpoint in found.endpoints}
        addresses = {int(address.ip) - int(ipaddress.ip_address("10.1.0.0")) for address in found.addresses}
        assert endpoints == addresses
        assert acknowledged <= endpoints
        until(lambda: ovsdb.snapshot().tables == found.tables)


def test_a_lost_commit_is_not_sent_again(database: Database, ovsdb: OvsdbStore, w: World) -> None:
    database.pause()
    failures: list[Exception] = []

    def commit() -> None:
        try:
            ovsdb.commit([Insert(w.endpoint(2))], within=5)
        except Unavailable as error:
            failures.append(error)

    thread = threading.Thread(target=commit)
    thread.start()
    session = ovsdb._link._session
    assert session is not None
    until(lambda: bool(session._waiting))
    database.kill()
    thread.join()
    database.start()

    assert ovsdb.ready(5)
    assert "it may have taken effect" in str(failures[0])
    assert 0 == len(ovsdb.commit([Insert(w.address("10.1.0.2"))]).endpoints)
