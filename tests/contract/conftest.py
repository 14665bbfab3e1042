"""Stores that the contract is tested on: both kinds (`store`), or the one over a database (`ovsdb`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from records.memory import MemoryStore
from records.ovsdb import OvsdbStore
from records.store import Store
from tests.database import Database
from tests.examples import World, world


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path) as database:
        yield database


@pytest.fixture
def ovsdb(database: Database) -> Iterator[OvsdbStore]:
    with contextlib.closing(OvsdbStore(database.remote)) as store:
        assert store.ready(5)
        yield store


@pytest.fixture(params=["memory", "ovsdb"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each store in turn; the same sentences must be true of both."""
    found: Store = MemoryStore() if request.param == "memory" else request.getfixturevalue("ovsdb")
    return found


@pytest.fixture
def w(request: pytest.FixtureRequest) -> World:
    """A world that is already in the store that the test uses."""
    store: Store = request.getfixturevalue("store" if "store" in request.fixturenames else "ovsdb")
    made = world()
    store.commit(made.inserts)
    return made
