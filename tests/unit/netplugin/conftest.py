"""What tests of the drivers share."""

from __future__ import annotations

import pytest

from records.hosts import ensure_host
from records.memory import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    """A store that knows the host `a`, and nothing else."""
    made = MemoryStore()
    ensure_host(made, "a", "netplugin", "0")
    return made
