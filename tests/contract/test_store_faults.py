"""What the store over a database does when processes race, when the server dies, and when its schema is another."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import json
import multiprocessing
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from records import store as verbs
from records.errors import Conflict, Duplicate, Unavailable
from records.model import Block, Endpoint, Space
from records.ovsdb import OvsdbStore
from records.schema import schema
from records.snapshot import Records
from records.store import Change
from records.writes import Delete, Insert, Update, Write
from tests.database import Database
from tests.examples import World, world


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path) as database:
        yield database


@pytest.fixture
def store(database: Database) -> Iterator[OvsdbStore]:
    with contextlib.closing(OvsdbStore(database.remote)) as store:
        assert store.ready(5)
        yield store


@pytest.fixture
def w(store: OvsdbStore) -> World:
    made = world()
    store.commit(made.inserts)
    return made


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
    database: Database, store: OvsdbStore, w: World
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
    _until(lambda: len(store.snapshot().addresses) == 20)


def test_many_threads_that_allocate_from_one_block_get_different_addresses(
    database: Database, store: OvsdbStore, w: World
) -> None:
    stores = [store, OvsdbStore(database.remote), OvsdbStore(database.remote)]
    assert all(other.ready(5) for other in stores)
    got: list[str] = []

    def allocate(records: Records) -> tuple[Sequence[Write], str]:
        block = records.blocks.get(w.block.id)
        assert block is not None
        ip = (block.last or block.cidr.network_address + 1) + 1
        moved = dataclasses.replace(block, last=ip)
        return [Update(block, moved), Insert(w.address(str(ip)))], str(ip)

    def work(mine: OvsdbStore) -> None:
        _until(lambda: mine.snapshot().blocks.get(w.block.id) is not None)
        got.extend(verbs.decide(mine, allocate, within=30) for _ in range(5))

    _in_threads([lambda mine=mine: work(mine) for mine in stores for _ in range(3)])  # type: ignore[misc]

    assert [f"10.1.0.{n}" for n in range(2, 47)] == sorted(got, key=ipaddress.ip_address)
    for other in stores[1:]:
        other.close()


def test_a_server_killed_in_mid_commit_keeps_all_or_nothing_and_what_it_acknowledged(
    database: Database, store: OvsdbStore, w: World
) -> None:
    acknowledged: set[int] = set()
    stop = threading.Event()

    def work(worker: int) -> None:
        n = worker * 1000
        while not stop.is_set():
            n += 1
            pair = [Insert(w.endpoint(n + 1)), Insert(w.address(str(ipaddress.ip_address("10.1.0.0") + n)))]
            with contextlib.suppress(Unavailable):
                store.commit(pair, within=2)
                acknowledged.add(n)

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(3):
        before = len(acknowledged)
        _until(lambda before=before: len(acknowledged) > before + 20)  # type: ignore[misc]
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
        _until(lambda: store.snapshot().tables == found.tables)


def test_a_lost_commit_is_not_sent_again(database: Database, store: OvsdbStore, w: World) -> None:
    database.pause()
    failures: list[Exception] = []

    def commit() -> None:
        try:
            store.commit([Insert(w.endpoint(2))], within=5)
        except Unavailable as error:
            failures.append(error)

    thread = threading.Thread(target=commit)
    thread.start()
    session = store._link._session
    assert session is not None
    _until(lambda: bool(session._waiting))
    database.kill()
    thread.join()
    database.start()

    assert store.ready(5)
    assert "it may have taken effect" in str(failures[0])
    assert 0 == len(store.commit([Insert(w.address("10.1.0.2"))]).endpoints)


def test_without_the_server_commits_fail_in_time_and_reading_goes_on(
    database: Database, store: OvsdbStore, w: World
) -> None:
    database.kill()

    began = time.monotonic()
    with pytest.raises(Unavailable, match=f"records unavailable: no leader among {database.remote} .*moorage-db"):
        store.commit([Insert(w.endpoint(2))], within=0.5)

    assert time.monotonic() - began < 1.0
    assert w.host == store.snapshot().hosts.get(w.host.id)
    assert "no leader among" in (store.problem() or "")


def test_a_server_that_hangs_makes_commits_fail_in_time(database: Database, store: OvsdbStore, w: World) -> None:
    database.pause()

    with pytest.raises(Unavailable, match=r"no answer within 0\.3 s; it may yet take effect"):
        store.commit([Insert(w.endpoint(2))], within=0.3)

    database.resume()
    store.commit([Insert(w.endpoint(3))])


def test_a_server_that_hangs_is_given_up(database: Database, store: OvsdbStore) -> None:
    database.pause()

    _until(lambda: "no sign of life" in (store.problem() or ""), within=10)
    database.resume()

    assert store.ready(10)


def test_all_goes_on_within_about_a_second_of_the_servers_return(
    database: Database, store: OvsdbStore, w: World
) -> None:
    seen: list[Change] = []
    store.watch(seen.extend)
    database.kill()
    with pytest.raises(Unavailable):
        store.commit([Insert(w.endpoint(2))], within=1.5)  # the pauses between attempts have grown by then
    database.start()

    began = time.monotonic()
    store.commit([Insert(w.endpoint(3))])

    assert time.monotonic() - began < 1.5
    assert [3] == [change.new.ofport for change in seen if isinstance(change.new, Endpoint)]


def test_a_commit_that_waits_for_the_server_is_made_when_it_returns(
    database: Database, store: OvsdbStore, w: World
) -> None:
    database.kill()
    _until(lambda: store.problem() is not None)
    thread = threading.Thread(target=lambda: store.commit([Insert(w.endpoint(2))]))
    thread.start()

    database.start()
    thread.join()

    assert 1 == len(store.snapshot().endpoints)


def test_what_others_changed_while_we_were_cut_off_arrives_as_changes(
    database: Database, store: OvsdbStore, w: World
) -> None:
    door = database.directory / "door"
    door.symlink_to(database.socket)
    with contextlib.closing(OvsdbStore(f"unix:{door}")) as cut:
        assert cut.ready(5)
        seen: list[Change] = []
        cut.watch(seen.extend)
        door.unlink()
        subprocess.run(["ovs-appctl", "-t", database.directory / "ctl.sock", "ovsdb-server/reconnect"], check=True)
        _until(lambda: cut.problem() is not None)
        moved = dataclasses.replace(w.space, revision=1)
        endpoint = w.endpoint(2)
        store.commit([Insert(endpoint), Update(w.space, moved), Delete(w.block)])
        assert [] == seen

        door.symlink_to(database.socket)
        assert cut.ready(5)

        assert 3 == len(seen)
        assert all(change in seen for change in (Change(None, endpoint), Change(w.space, moved), Change(w.block, None)))


def test_another_cluster_in_the_place_of_ours_takes_no_records_away(
    database: Database, store: OvsdbStore, w: World
) -> None:
    seen: list[Change] = []
    store.watch(seen.extend)
    database.kill()
    database.file.unlink()

    database.start()
    _until(lambda: "another cluster" in (store.problem() or ""))

    assert [] == seen
    assert w.host == store.snapshot().hosts.get(w.host.id)


def test_a_daemon_may_start_before_the_database(tmp_path: Path) -> None:
    database = Database(tmp_path)
    with contextlib.closing(OvsdbStore(database.remote)) as store:
        assert not store.ready(0.1)
        with pytest.raises(Unavailable, match="no leader among"):
            store.snapshot()
        with database:
            assert store.ready(5)
            assert 0 == len(store.snapshot().hosts)


def test_watchers_see_all_records_at_the_first_reading(database: Database, w: World) -> None:
    database.stop()
    with contextlib.closing(OvsdbStore(database.remote)) as store:
        seen: list[Change] = []
        store.watch(seen.extend)
        database.start()

        assert store.ready(5)
        assert {insert.new.id for insert in w.inserts} == {change.new.id for change in seen if change.new is not None}


def test_a_watchers_bug_ends_neither_the_connection_nor_the_other_watchers(store: OvsdbStore, w: World) -> None:
    seen: list[Change] = []

    def broken(_: Sequence[Change]) -> None:
        raise ZeroDivisionError

    store.watch(broken)
    store.watch(seen.extend)

    store.commit([Insert(w.endpoint(2))])
    store.commit([Insert(w.endpoint(3))])

    assert 2 == len(seen)


def test_tables_and_columns_of_a_newer_schema_are_left_alone(tmp_path: Path) -> None:
    newer = schema()
    newer["version"] = "1.1.0"
    newer["tables"]["Volume"] = {"columns": {"name": {"type": "string"}}, "isRoot": True}
    newer["tables"]["Host"]["columns"]["colour"] = {"type": {"key": "string", "min": 0, "max": 1}}
    database = Database(tmp_path)
    database.start(newer)
    with contextlib.closing(OvsdbStore(database.remote)) as store, contextlib.ExitStack() as stack:
        stack.callback(database.kill)
        assert store.ready(5)
        w = world()
        store.commit(w.inserts)
        _transact(database, {"op": "update", "table": "Host", "where": [], "row": {"colour": "red", "heartbeat": 4}})
        _transact(database, {"op": "insert", "table": "Volume", "row": {"name": "data"}})

        now = dataclasses.replace(w.host, heartbeat=4)
        _until(lambda: now == store.snapshot().hosts.get(w.host.id))
        store.commit([Update(now, dataclasses.replace(now, heartbeat=5))])

        (row,) = _transact(database, {"op": "select", "table": "Host", "where": [], "columns": ["colour"]})[0]["rows"]
        assert "red" == row["colour"]


def test_an_older_schema_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    older = schema()
    older["version"] = "0.9.0"
    del older["tables"]["Endpoint"]["columns"]["up"]
    database = Database(tmp_path)
    database.start(older)
    with contextlib.closing(OvsdbStore(database.remote)) as store, contextlib.ExitStack() as stack:
        stack.callback(database.kill)

        assert not store.ready(0.5)
        assert "database schema 0.9.0 lacks Endpoint.up: upgrade it" in (store.problem() or "")


def test_a_row_that_cannot_be_read_takes_no_other_away(database: Database, store: OvsdbStore, w: World) -> None:
    where = [["_uuid", "==", ["uuid", str(w.block.id)]]]
    _transact(database, {"op": "update", "table": "Block", "where": where, "row": {"last": "nonsense"}})
    _until(lambda: len(store.snapshot().blocks) == 0)

    store.commit([Insert(w.endpoint(2))])
    _transact(database, {"op": "update", "table": "Block", "where": where, "row": {"last": "10.1.0.9"}})

    mended: Block = dataclasses.replace(w.block, last=ipaddress.ip_address("10.1.0.9"))
    _until(lambda: mended == store.snapshot().blocks.get(w.block.id))


def test_a_lock_is_lost_with_the_server_and_found_again(database: Database, store: OvsdbStore) -> None:
    with store.lock("reaper") as held:
        _until(held)
        database.kill()
        _until(lambda: not held())
        database.start()
        _until(held)


def test_a_member_that_is_not_there_does_not_matter_while_another_leads(database: Database) -> None:
    with contextlib.closing(OvsdbStore(f"unix:{database.directory}/gone.sock,{database.remote}")) as store:
        assert store.ready(5)
        assert 1 == len(store.commit(world().inserts).hosts)


def test_a_conflict_is_told_apart_from_a_lost_connection(database: Database, store: OvsdbStore, w: World) -> None:
    looks = 0

    def decision(records: Records) -> tuple[Sequence[Write], None]:
        nonlocal looks
        looks += 1
        space: Space | None = records.spaces.get(w.space.id)
        assert space is not None
        return [Update(space, dataclasses.replace(space, revision=space.revision + 1))], None

    database.kill()
    with pytest.raises(Unavailable):
        verbs.decide(store, decision, within=0.2)

    assert 1 == looks
    assert not issubclass(Unavailable, Conflict)


def test_the_death_of_the_leader_of_three_is_survived(tmp_path: Path) -> None:
    directories = [tmp_path / name for name in "abc"]
    for directory in directories:
        directory.mkdir()
    first = Database(directories[0])
    members = [first, *(Database(directory, [first]) for directory in directories[1:])]
    remotes = ",".join(member.remote for member in members)
    with contextlib.ExitStack() as stack:
        for member in members:
            stack.enter_context(member)
        store = stack.enter_context(contextlib.closing(OvsdbStore(remotes)))
        other = stack.enter_context(contextlib.closing(OvsdbStore(remotes)))
        held = stack.enter_context(store.lock("reaper"))
        assert store.ready(10)
        w = world()
        store.commit(w.inserts)
        _until(held)
        _until(lambda: all(_connected(member) for member in members), within=20)

        first.kill()
        store.commit([Insert(w.endpoint(2))], within=20)

        assert other.ready(20)
        _until(lambda: len(other.snapshot().endpoints) == 1)
        _until(held, within=20)


def _connected(member: Database) -> bool:
    """Whether the member has joined the cluster and has its records."""
    rows = [["name", "==", "Moorage"]]
    select = {"op": "select", "table": "Database", "where": rows, "columns": ["connected"]}
    done = subprocess.run(
        ["ovsdb-client", "--no-leader-only", "transact", member.remote, json.dumps(["_Server", select])],
        capture_output=True,
        text=True,
        check=False,
    )
    return '"connected":true' in done.stdout


def test_a_closed_store_answers_at_once(database: Database) -> None:
    store = OvsdbStore(database.remote)
    store.ready(5)
    store.close()

    began = time.monotonic()
    with pytest.raises(Unavailable):
        store.commit(world().inserts)

    assert time.monotonic() - began < 0.5


def _transact(database: Database, *operations: dict[str, Any]) -> Any:
    """Do what another program would."""
    with contextlib.closing(OvsdbStore(database.remote)) as store:
        return store._link.ask("transact", ["Moorage", *operations], 5)


def _until(condition: Callable[[], bool], within: float = 5.0) -> None:
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.003)


def _in_threads(works: Sequence[Callable[[], None]]) -> None:
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # an assertion of a thread is the test's
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == errors
