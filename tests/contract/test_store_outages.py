"""What the store over a database does while there is none, and when it comes back."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from records import store as verbs
from records.errors import Conflict, Unavailable
from records.model import Endpoint, Space
from records.ovsdb import OvsdbStore
from records.snapshot import Records
from records.store import Change
from records.writes import Delete, Insert, Update, Write
from tests.database import Database
from tests.examples import World, world
from tests.waiting import until


def test_without_the_server_commits_fail_in_time_and_reading_goes_on(
    database: Database, ovsdb: OvsdbStore, w: World
) -> None:
    database.kill()
    until(lambda: ovsdb.problem() is not None)

    began = time.monotonic()
    with pytest.raises(Unavailable, match=f"records unavailable: no leader among {database.remote} .*moorage-db"):
        ovsdb.commit([Insert(w.endpoint(2))], within=0.5)

    assert time.monotonic() - began < 1.0
    assert w.host == ovsdb.snapshot().hosts.get(w.host.id)
    assert "no leader among" in (ovsdb.problem() or "")


def test_a_server_that_hangs_makes_commits_fail_in_time(database: Database, ovsdb: OvsdbStore, w: World) -> None:
    database.pause()

    with pytest.raises(Unavailable, match=r"no answer within 0\.3 s; it may yet take effect"):
        ovsdb.commit([Insert(w.endpoint(2))], within=0.3)

    database.resume()
    ovsdb.commit([Insert(w.endpoint(3))])


def test_a_server_that_hangs_is_given_up(
    database: Database, ovsdb: OvsdbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("records.link.SILENCE", 0.5)
    database.pause()

    until(lambda: "no sign of life" in (ovsdb.problem() or ""), within=10)
    database.resume()

    assert ovsdb.ready(10)


def test_all_goes_on_within_about_a_second_of_the_servers_return(
    database: Database, ovsdb: OvsdbStore, w: World
) -> None:
    seen: list[Change] = []
    ovsdb.watch(seen.extend)
    database.kill()
    with pytest.raises(Unavailable):
        ovsdb.commit([Insert(w.endpoint(2))], within=1.5)  # the pauses between attempts have grown by then
    database.start()

    began = time.monotonic()
    ovsdb.commit([Insert(w.endpoint(3))])

    assert time.monotonic() - began < 1.5
    assert [3] == [change.new.ofport for change in seen if isinstance(change.new, Endpoint)]


def test_a_commit_that_waits_for_the_server_is_made_when_it_returns(
    database: Database, ovsdb: OvsdbStore, w: World
) -> None:
    database.kill()
    until(lambda: ovsdb.problem() is not None)
    thread = threading.Thread(target=lambda: ovsdb.commit([Insert(w.endpoint(2))]))
    thread.start()

    database.start()
    thread.join()

    assert 1 == len(ovsdb.snapshot().endpoints)


def test_what_others_changed_while_we_were_cut_off_arrives_as_changes(database: Database, w: World) -> None:
    door = database.directory / "door"
    door.symlink_to(database.socket)
    with contextlib.closing(OvsdbStore(f"unix:{door}")) as cut:
        assert cut.ready(5)
        seen: list[Change] = []
        cut.watch(seen.extend)
        door.unlink()
        subprocess.run(["ovs-appctl", "-t", database.directory / "ctl.sock", "ovsdb-server/reconnect"], check=True)
        until(lambda: cut.problem() is not None)
        moved = dataclasses.replace(w.space, revision=1)
        endpoint = w.endpoint(2)
        with contextlib.closing(OvsdbStore(database.remote)) as other:
            other.commit([Insert(endpoint), Update(w.space, moved), Delete(w.block)])
        assert [] == seen

        door.symlink_to(database.socket)
        assert cut.ready(5)

        assert 3 == len(seen)
        assert all(change in seen for change in (Change(None, endpoint), Change(w.space, moved), Change(w.block, None)))


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


def test_a_watchers_bug_ends_neither_the_connection_nor_the_other_watchers(ovsdb: OvsdbStore, w: World) -> None:
    seen: list[Change] = []

    def broken(_: Sequence[Change]) -> None:
        raise ZeroDivisionError

    ovsdb.watch(broken)
    ovsdb.watch(seen.extend)

    ovsdb.commit([Insert(w.endpoint(2))])
    ovsdb.commit([Insert(w.endpoint(3))])

    assert 2 == len(seen)


def test_a_conflict_is_told_apart_from_a_lost_connection(database: Database, ovsdb: OvsdbStore, w: World) -> None:
    looks = 0

    def decision(records: Records) -> tuple[Sequence[Write], None]:
        nonlocal looks
        looks += 1
        space: Space | None = records.spaces.get(w.space.id)
        assert space is not None
        return [Update(space, dataclasses.replace(space, revision=space.revision + 1))], None

    database.kill()
    with pytest.raises(Unavailable):
        verbs.decide(ovsdb, decision, within=0.2)

    assert 1 == looks
    assert not issubclass(Unavailable, Conflict)


def test_a_closed_store_answers_at_once(database: Database) -> None:
    store = OvsdbStore(database.remote)
    store.ready(5)
    store.close()

    began = time.monotonic()
    with pytest.raises(Unavailable):
        store.commit(world().inserts)

    assert time.monotonic() - began < 0.5
