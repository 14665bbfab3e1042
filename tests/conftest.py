"""What holds for all tests: their options, and that Hypothesis judges no time, which on a busy machine says nothing."""

from __future__ import annotations

import os

import pytest
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
