"""The host's IPv6 forwarding, and what must not be lost by turning it on."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from netplugin.system.forwarding import Forwarding


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for name, heard in {"all": 1, "default": 1, "eth0": 1, "eth1": 0, "eth2": 2, "mg0": 0}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "accept_ra").write_text(f"{heard}\n")
        (tmp_path / name / "forwarding").write_text("0\n")
    return tmp_path


def heard(conf: Path) -> Mapping[str, str]:
    return {at.name: (at / "accept_ra").read_text().strip() for at in conf.iterdir()}


def test_who_listened_to_routers_goes_on_and_nobody_else_begins(conf: Path) -> None:
    forwarding = Forwarding(allowed=True, conf=conf)
    assert not forwarding.well()

    forwarding.turn_on()

    assert forwarding.well()
    assert {"all": "1", "default": "1", "eth0": "2", "eth1": "0", "eth2": "2", "mg0": "0"} == heard(conf)


def test_what_is_the_operators_is_left_to_him(conf: Path) -> None:
    assert Forwarding(allowed=False, conf=conf).well()
