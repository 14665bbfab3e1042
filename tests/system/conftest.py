"""One lab for all tests that want a host, and one switch for those that want only that; each finds it as it was."""

import os
import shutil
from collections.abc import Iterator

import pytest

from controller.agent import Controller
from lab.guest.guest import Guest
from lab.guest.guest import start as start_guest
from lab.host import Host
from lab.lab import Lab, leftovers
from lab.moorage import CONFIG, DAEMONS
from records.memory import MemoryStore
from tests import host as records_of_a_host
from tests.controlled import start
from tests.switch import BRIDGE, Switch, Tracer, switch

TOOLS = (
    "busybox",
    "conntrack",
    "curl",
    "docker",
    "dockerd",
    "ethtool",
    "ganesha.nfsd",
    "glusterd",
    "iperf3",
    "ip",
    "iptables",
    "mount.nfs",
    "nft",
    "ovs-vswitchd",
    "qemu-system-x86_64",
    "rpcbind",
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


@pytest.fixture(scope="module")
def guest(machine: None) -> Iterator[Guest]:
    """A machine in QEMU with Debian's kernel, Docker, the kernel's NFS server and this checkout."""
    with start_guest() as guest:
        guest.install()
        yield guest


@pytest.fixture(scope="module")
def one(machine: None) -> Iterator[Switch]:
    """A switch without a host around it, with the ports of `tests.host`."""
    with switch() as made:
        made.add_ports(records_of_a_host.ports())
        yield made


@pytest.fixture
def store() -> MemoryStore:
    """The records of `tests.host`."""
    return MemoryStore(records_of_a_host.records())


@pytest.fixture
def controller(one: Switch, store: MemoryStore) -> Iterator[Controller]:
    """A controller in this process, which finds the switch without flows."""
    one.ofctl("del-flows", BRIDGE)
    running = start(one, store)
    yield running
    running.stop()


@pytest.fixture
def trace(one: Switch, controller: Controller) -> Iterator[Tracer]:
    """What says which way a packet takes through the switch."""
    with one.tracer() as tracer:
        yield tracer
