"""A host with one backend, for tests of what is decided about volumes."""

from __future__ import annotations

import pytest

from records.hosts import ensure_host
from records.memory import MemoryStore
from records.writes import Insert
from tests.volumes import backend


@pytest.fixture
def store() -> MemoryStore:
    """A store that knows the hosts `a` and `b`, and the backend `disk` that all hosts reach."""
    made = MemoryStore()
    for name in ("a", "b"):
        ensure_host(made, name, "volplugin", "0")
    made.commit([Insert(backend("disk"))])
    return made
