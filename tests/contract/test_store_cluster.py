"""Several members, other clusters, and locks, which live with the leader."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

from records.ovsdb import OvsdbStore
from records.store import Change
from records.writes import Insert
from tests.database import Database
from tests.examples import World, world
from tests.waiting import until


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
        until(held)
        until(lambda: all(_connected(member) for member in members), within=20)

        first.kill()
        until(lambda: store.problem() is not None)  # what is sent in this moment has an unknown fate
        store.commit([Insert(w.endpoint(2))], within=20)

        assert other.ready(20)
        until(lambda: len(other.snapshot().endpoints) == 1)
        until(held, within=20)


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


def test_a_member_that_is_not_there_does_not_matter_while_another_leads(database: Database) -> None:
    with contextlib.closing(OvsdbStore(f"unix:{database.directory}/gone.sock,{database.remote}")) as store:
        assert store.ready(5)
        assert 1 == len(store.commit(world().inserts).hosts)


def test_another_cluster_in_the_place_of_ours_takes_no_records_away(
    database: Database, ovsdb: OvsdbStore, w: World
) -> None:
    seen: list[Change] = []
    ovsdb.watch(seen.extend)
    database.kill()
    database.file.unlink()

    database.start()
    until(lambda: "another cluster" in (ovsdb.problem() or ""))

    assert [] == seen
    assert w.host == ovsdb.snapshot().hosts.get(w.host.id)


def test_a_lock_is_lost_with_the_server_and_found_again(database: Database, ovsdb: OvsdbStore) -> None:
    with ovsdb.lock("reaper") as held:
        until(held)
        database.kill()
        until(lambda: not held())
        database.start()
        until(held)
