"""What the store over a database makes of schemas and rows of other releases."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
from pathlib import Path
from typing import Any

from records.model import Block
from records.ovsdb import OvsdbStore
from records.schema import schema
from records.writes import Insert, Update
from tests.database import Database
from tests.examples import World, world
from tests.waiting import until


def test_tables_and_columns_of_a_newer_schema_are_left_alone(tmp_path: Path) -> None:
    newer = schema()
    newer["version"] = "1.9.0"
    newer["tables"]["Later"] = {"columns": {"name": {"type": "string"}}, "isRoot": True}
    newer["tables"]["Host"]["columns"]["colour"] = {"type": {"key": "string", "min": 0, "max": 1}}
    database = Database(tmp_path)
    database.start(newer)
    with contextlib.closing(OvsdbStore(database.remote)) as store, contextlib.ExitStack() as stack:
        stack.callback(database.kill)
        assert store.ready(5)
        w = world()
        store.commit(w.inserts)
        transact(database, {"op": "update", "table": "Host", "where": [], "row": {"colour": "red", "heartbeat": 4}})
        transact(database, {"op": "insert", "table": "Later", "row": {"name": "data"}})

        now = dataclasses.replace(w.host, heartbeat=4)
        until(lambda: now == store.snapshot().hosts.get(w.host.id))
        store.commit([Update(now, dataclasses.replace(now, heartbeat=5))])

        (row,) = transact(database, {"op": "select", "table": "Host", "where": [], "columns": ["colour"]})[0]["rows"]
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


def test_a_row_that_cannot_be_read_takes_no_other_away(database: Database, ovsdb: OvsdbStore, w: World) -> None:
    where = [["_uuid", "==", ["uuid", str(w.block.id)]]]
    transact(database, {"op": "update", "table": "Block", "where": where, "row": {"last": "nonsense"}})
    until(lambda: len(ovsdb.snapshot().blocks) == 0)

    ovsdb.commit([Insert(w.endpoint(2))])
    transact(database, {"op": "update", "table": "Block", "where": where, "row": {"last": "10.1.0.9"}})

    mended: Block = dataclasses.replace(w.block, last=ipaddress.ip_address("10.1.0.9"))
    until(lambda: mended == ovsdb.snapshot().blocks.get(w.block.id))


def transact(database: Database, *operations: dict[str, Any]) -> Any:
    """Do what another program would."""
    with contextlib.closing(OvsdbStore(database.remote)) as store:
        return store._link.ask("transact", ["Moorage", *operations], 5)
