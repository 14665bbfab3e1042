"""Published ports of SCTP, with packets: from raw sockets, since kernels without SCTP translate it all the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.lab import Lab
from lab.node import Node
from tests.system.steps import container, network, nothing_left, refused

pytestmark = pytest.mark.system

PROGRAM = (sys.executable, "-SE", Path(__file__).with_name("association.py"))
V6 = "fd77::11"  # the host's, and on the same wire the fabric's


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    """A host with a dual stack network, and a container on it that takes associations at its port 3868."""
    host = lab.host
    host.ip("addr", "add", f"{V6}/64", "dev", "eth0", "nodad")
    lab.fabric.ip("addr", "add", "fd77::1/64", "dev", "mgmt", "nodad")
    network(host, "web", "10.1.0.0/24", "--ipv6", "--subnet", "fd00:1::/64")
    container(host, "a1", "web", "-p", "38680:3868/sctp", "--ip", "10.1.0.99", "--ip6", "fd00:1::99")
    for version in ("4", "6"):
        inside = ("nsenter", "-t", host.container_pid("a1"), "-n", "--")
        host.spawn(f"sctp{version}", *inside, *PROGRAM, "answer", version, 3868)
        wait_for("it to listen", lambda version=version: taken(host, version) == ["ready"])
    yield host
    for version in ("4", "6"):
        host.procs.pop(f"sctp{version}").kill()
    host.docker("rm", "-f", "a1")
    host.docker("network", "rm", "web")
    nothing_left(host)
    host.ip("addr", "del", f"{V6}/64", "dev", "eth0")
    lab.fabric.ip("addr", "del", "fd77::1/64", "dev", "mgmt")


def taken(host: Host, version: str) -> list[str]:
    """Return what the container says of the associations it has taken."""
    return host.log(f"sctp{version}").read_text().splitlines()


def asked(node: Node, address: str, port: int) -> str:
    """Begin an association; return who has taken it."""
    return node.exec(*PROGRAM, "ask", address, port, timeout=20).strip()


def test_an_association_is_translated_to_the_container_and_its_answers_back(host: Host, lab: Lab) -> None:
    assert f"{host.address} 38680" == asked(lab.outside, host.address, 38680)
    assert taken(host, "4")[-1] == f"{lab.outside.address} 3868"


def test_an_association_by_ipv6_is_too(host: Host, lab: Lab) -> None:
    assert f"{V6} 38680" == asked(lab.fabric, V6, 38680)
    assert taken(host, "6")[-1] == "fd77::1 3868"


def test_the_host_itself_reaches_the_port_by_its_own_and_by_loopback_addresses(host: Host) -> None:
    for address in (host.address, "127.0.0.1", V6):
        assert f"{address} 38680" == asked(host, address, 38680)


def test_a_port_that_is_not_published_is_not_translated(host: Host, lab: Lab) -> None:
    before = taken(host, "4")

    assert "no association" in refused(lambda: asked(lab.outside, host.address, 3868))
    assert before == taken(host, "4")
