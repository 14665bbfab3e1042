"""One lab for all tests that want a host; each test finds it as the one before did."""

import os
import shutil
from collections.abc import Iterator

import pytest

from lab.host import Host
from lab.lab import Lab, leftovers
from lab.moorage import CONFIG, DAEMONS

TOOLS = (
    "busybox",
    "conntrack",
    "curl",
    "docker",
    "dockerd",
    "ethtool",
    "iperf3",
    "ip",
    "iptables",
    "nft",
    "ovs-vswitchd",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("system") is not None)  # the quick ones first


@pytest.fixture(scope="session")
def machine() -> None:
    """What every system test needs; without it they fail: a suite that skips is green for nothing."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    assert not missing, f"not installed: {' '.join(missing)}; lab/prepare.sh installs them"
    assert os.geteuid() == 0, "system tests must be run by root: the lab makes namespaces"


@pytest.fixture(scope="session")
def lab(machine: None) -> Iterator[Lab]:
    """One host with Docker, Open vSwitch and Moorage, and an outside."""
    with Lab(f"tests-{os.getpid()}") as lab:
        yield lab
    assert [] == leftovers(lab.place)


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    """The lab's host; afterwards its daemons run as before, Docker is empty and the wires are whole."""
    host = lab.host
    configured = host.path(CONFIG).read_text()
    yield host
    lab.fabric.heal()
    if host.path(CONFIG).read_text() != configured:
        host.path(CONFIG).write_text(configured)
        for name in DAEMONS:
            host.procs[name].kill()
    host.repair()
