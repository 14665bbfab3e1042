"""Who reaches whom, packet by packet: networks by themselves, networks of a tenant, in both families."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.lab import Lab
from lab.traces import flows
from tests.system.steps import CREATE, container, inspect, nothing_left, refused

pytestmark = pytest.mark.system

NETWORKS = {  # name -> its number in subnets, options
    "alone": (11, ()),
    "other": (12, ()),
    "team1": (13, ("-o", "moorage.isolation=tenant", "-o", "moorage.tenant=team")),
    "team2": (14, ("-o", "moorage.isolation=tenant", "-o", "moorage.tenant=team")),
    "rival": (15, ("-o", "moorage.isolation=tenant", "-o", "moorage.tenant=rival")),
}


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    """A host with all the networks, dual stack, and a container on each that is named as its network."""
    host = lab.host
    for name, (number, options) in NETWORKS.items():
        subnets = ("--subnet", f"10.{number}.0.0/24", "--ipv6", "--subnet", f"fd00:{number}::/64")
        host.docker(*CREATE, *subnets, *options, name)
        container(host, name, name)
    for name in NETWORKS:
        wait_for("IPv6 to be usable", lambda name=name: pinged(host, name, gateways(name)[1]), 10)
    yield host
    host.repair()
    nothing_left(host)


def gateways(network: str) -> tuple[str, str]:
    number = NETWORKS[network][0]
    return f"10.{number}.0.1", f"fd00:{number}::1"


def addresses(host: Host, name: str) -> tuple[str, str]:
    """Return a container's IPv4 and IPv6 addresses."""
    at = f".NetworkSettings.Networks.{name}"
    return inspect(host, name, f"{at}.IPAddress"), inspect(host, name, f"{at}.GlobalIPv6Address")


def pinged(host: Host, container: str, address: str, *more: object) -> bool:
    """Return whether a container's ping is answered."""
    out = host.in_netns(container, "ping", "-n", "-c", "2", "-i", "0.1", "-W", "1", *more, address, check=False)
    return " 0% packet loss" in out


@pytest.mark.parametrize(("one", "other"), [("alone", "other"), ("alone", "team1"), ("team1", "alone")])
def test_a_network_reaches_no_container_of_another(host: Host, one: str, other: str) -> None:
    for address in addresses(host, other):
        assert not pinged(host, one, address)
    for gateway in gateways(one):
        assert pinged(host, one, gateway)


def test_networks_of_a_tenant_reach_each_other_without_the_host(host: Host) -> None:
    for one, other in (("team1", "team2"), ("team2", "team1")):
        for address in addresses(host, other):
            assert pinged(host, one, address)
    ports = host.vsctl("list-ports", "moorage0").split()
    out = host.in_netns("team1", "ping", "-n", "-c", "1", addresses(host, "team2")[0])

    assert len(NETWORKS) - 1 == len([port for port in ports if port.startswith("mg")])
    assert "ttl=63" in out  # one hop: the switch


def test_networks_of_different_tenants_do_not_reach_each_other(host: Host) -> None:
    for address in addresses(host, "rival"):
        assert not pinged(host, "team1", address)
    for address in addresses(host, "team1"):
        assert not pinged(host, "rival", address)


def test_what_tenants_share_stays_until_the_last_of_their_networks_goes(host: Host) -> None:
    before = flows(host)
    host.docker(
        *CREATE, "--subnet", "10.16.0.0/24", "-o", "moorage.isolation=tenant", "-o", "moorage.tenant=team", "x3"
    )
    container(host, "x3", "x3")
    assert pinged(host, "team1", inspect(host, "x3", ".NetworkSettings.Networks.x3.IPAddress"))

    host.docker("rm", "-f", "x3")
    host.docker("network", "rm", "x3")

    wait_for("its flows to go", lambda: flows(host) == before, 10)
    assert not any(" 10.16.0.1/" in line for line in host.ip("addr").splitlines())
    assert pinged(host, "team1", addresses(host, "team2")[0])


def test_networks_that_the_switch_routes_between_must_have_one_mtu(host: Host) -> None:
    shared = ("-o", "moorage.isolation=tenant", "-o", "moorage.tenant=team", "-o", "moorage.mtu=1400")

    text = refused(lambda: host.docker(*CREATE, "--subnet", "10.16.0.0/24", *shared, "x3"))

    assert "use -o moorage.mtu=1500" in text
