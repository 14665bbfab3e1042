"""Silence for tests that make thousands of calls."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import structlog


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Say nothing of thousands of calls."""
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[drop])
    try:
        yield
    finally:
        structlog.configure(processors=before)


def drop(*_: object) -> Any:
    raise structlog.DropEvent
