"""Nobody is lost for a neighbour entry that is out of date: an address that is given anew is reached at its new MAC."""

from __future__ import annotations

import pytest

from lab.host import Host
from tests.system.steps import address, container, lost, network

pytestmark = pytest.mark.system

OLD, NEW, FALSE = "02:00:00:00:00:11", "02:00:00:00:00:22", "02:00:00:00:00:99"
FOUR, SIX = "10.1.0.10", "fd00:1::10"
OWN = ("--ip", FOUR, "--ip6", SIX)


@pytest.fixture
def web(host: Host) -> Host:
    """A host with the network `web` in both families, and containers `a1` (with a MAC address of its own) and `b1`."""
    network(host, "web", "10.1.0.0/24", "--ipv6", "--subnet", "fd00:1::/64")
    container(host, "a1", "web", *OWN, "--mac-address", OLD)
    container(host, "b1", "web")
    return host


def gateway(host: Host) -> str:
    """Return the name of the network's gateway interface on the host."""
    return next(line.split()[1] for line in host.ip("-o", "addr").splitlines() if "10.1.0.1/24" in line)


def test_an_address_with_another_mac_is_reached_at_once_by_the_host_and_by_containers(web: Host) -> None:
    for target in (FOUR, SIX):
        assert web.pings(target)
        assert 0 == lost(web, "b1", target, count=1)
    assert OLD in web.ip("neigh", "show", FOUR)
    assert OLD in web.in_netns("b1", "ip", "neigh", "show", FOUR)
    web.docker("rm", "-f", "a1")
    container(web, "c1", "web", *OWN, "--mac-address", NEW)

    for target in (FOUR, SIX):
        assert web.pings(target, count=5)
        assert 0 == lost(web, "b1", target)


def test_a_neighbour_entry_that_is_false_for_ever_hides_nobody(web: Host) -> None:
    """The switch puts in the MAC address that the records say, whatever the sender believed."""
    mg = gateway(web)
    for target in (FOUR, SIX):
        web.ip("neigh", "replace", target, "lladdr", FALSE, "dev", mg, "nud", "permanent")
        web.in_netns("b1", "ip", "neigh", "replace", target, "lladdr", FALSE, "dev", "eth0", "nud", "permanent")

        assert web.pings(target, count=3)
        assert 0 == lost(web, "b1", target, count=3)

        web.ip("neigh", "del", target, "dev", mg)


def test_an_address_connected_to_a_running_container_is_reached_though_another_had_it(web: Host) -> None:
    container(web, "d1", "web")
    assert 0 == lost(web, "b1", FOUR, count=1)
    web.docker("network", "disconnect", "web", "d1")
    web.docker("network", "disconnect", "web", "a1")
    web.docker("network", "connect", "--ip", FOUR, "web", "d1")

    assert web.pings(FOUR, count=3)
    assert 0 == lost(web, "b1", FOUR, count=3)


def test_the_only_address_that_is_left_is_given_at_once_and_reached(host: Host) -> None:
    network(host, "tiny", "10.9.0.0/30")
    container(host, "x1", "tiny", "--mac-address", OLD)
    assert host.pings("10.9.0.2")
    host.docker("rm", "-f", "x1")
    container(host, "y1", "tiny", "--mac-address", NEW)

    assert "10.9.0.2" == address(host, "y1", "tiny")
    assert host.pings("10.9.0.2", count=5)
