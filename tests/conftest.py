"""What holds for all tests: their options, and that Hypothesis judges no time, which on a busy machine says nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from lab.dockers import CHOSEN

settings.register_profile("moorage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("moorage")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--docker",
        metavar="VERSION",
        help="the Docker that labs run: a version (26.1) or Debian release (trixie) of lab/dockers.sh",
    )


def pytest_configure(config: pytest.Config) -> None:
    if chosen := config.getoption("--docker"):
        os.environ[CHOSEN] = chosen


@pytest.fixture
def logs_as_they_were() -> Iterator[None]:
    """Undo what `daemonkit.log.configure` does to the whole process."""
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    yield
    logging.captureWarnings(capture=False)
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()
