"""What tests of the session with a switch share."""

from __future__ import annotations

import pytest


@pytest.fixture
def told() -> list[str | None]:
    """What the session told its owner: names of ports (None: of all), or that the connection turned."""
    return []
