"""What lies behind a network's gateway, in both families: nat, routed, none, and what the outside reaches by itself."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.lab import Lab
from tests.system.steps import CREATE, container, inspect, lost, nothing_left, refused

pytestmark = pytest.mark.system

NETWORKS = {"nat": 31, "routed": 32, "shut": 33}  # name -> its number in subnets
GATEWAYS = {"nat": "nat", "routed": "routed", "shut": "none"}
HOST, OUTSIDE = "fd77::11", "fd99::9"


@pytest.fixture(scope="module")
def lab6(lab: Lab) -> Iterator[Lab]:
    """The lab with IPv6 on the wires: host and outside are routed to each other by the fabric."""
    lans = [(lab.host, "mgmt", "fd77::", 11), (lab.outside, "outside", "fd99::", 9)]
    for node, lan, prefix, number in lans:
        lab.fabric.ip("addr", "add", f"{prefix}1/64", "dev", lan, "nodad")
        node.ip("addr", "add", f"{prefix}{number}/64", "dev", "eth0", "nodad")
        node.ip("-6", "route", "add", "default", "via", f"{prefix}1")
    lab.fabric.sysctl("net.ipv6.conf.all.forwarding", 1)
    wait_for("IPv6 between host and outside", lambda: lab.outside.pings(HOST), 10)
    yield lab
    for node, lan, prefix, number in lans:
        node.ip("-6", "route", "del", "default")
        node.ip("addr", "del", f"{prefix}{number}/64", "dev", "eth0")
        lab.fabric.ip("addr", "del", f"{prefix}1/64", "dev", lan)


@pytest.fixture(scope="module")
def host(lab6: Lab) -> Iterator[Host]:
    """A host with a network of each kind, dual stack, and two containers on each."""
    host = lab6.host
    host.sysctl("net.ipv6.conf.all.forwarding", 0)
    host.sysctl("net.ipv6.conf.eth0.accept_ra", 1)
    for name, number in NETWORKS.items():
        subnets = ("--subnet", f"10.{number}.0.0/24", "--ipv6", "--subnet", f"fd00:{number}::/64")
        host.docker(*CREATE, *subnets, "-o", f"moorage.gateway={GATEWAYS[name]}", name)
        for last in (2, 3):
            own = ("--ip", f"10.{number}.0.{last}", "--ip6", f"fd00:{number}::{last}")
            container(host, f"{name}{last}", name, *own)
    for name in NETWORKS:
        wait_for("IPv6 to be usable", lambda name=name: reached(host, f"{name}2", addresses(name, 3)[1]), 10)
    yield host
    host.repair()
    nothing_left(host)


def addresses(name: str, last: int = 2) -> tuple[str, str]:
    number = NETWORKS[name]
    return f"10.{number}.0.{last}", f"fd00:{number}::{last}"


def reached(host: Host, container: str, *addresses: str) -> bool:
    """Return whether all these answer a container's pings."""
    ping = ("ping", "-n", "-c", "2", "-i", "0.1", "-W", "1")
    return all(" 0% packet loss" in host.in_netns(container, *ping, address, check=False) for address in addresses)


@contextlib.contextmanager
def known_outside(lab: Lab, name: str) -> Iterator[None]:
    """Let the world know the way to a network: by the host."""
    v4, v6 = (f"10.{NETWORKS[name]}.0.0/24", f"fd00:{NETWORKS[name]}::/64")
    ways = [(v4, lab.host.address), (v6, HOST)]
    for subnet, by in ways:
        lab.fabric.ip("route", "add", subnet, "via", by)
    yield
    for subnet, _ in ways:
        lab.fabric.ip("route", "del", subnet)


@pytest.mark.parametrize("name", NETWORKS)
def test_containers_of_a_network_reach_each_other_in_both_families(host: Host, name: str) -> None:
    assert reached(host, f"{name}2", *addresses(name, 3))


@pytest.mark.parametrize("name", ["nat", "routed"])
def test_containers_and_host_reach_each_other_by_the_gateway(host: Host, name: str) -> None:
    assert reached(host, f"{name}2", *addresses(name, 1))
    assert all(host.pings(address) for address in addresses(name))


def test_by_nat_containers_reach_the_outside_which_does_not_reach_them(host: Host, lab6: Lab) -> None:
    assert reached(host, "nat2", lab6.outside.address, OUTSIDE)

    with known_outside(lab6, "nat"):
        assert not any(lab6.outside.pings(address) for address in addresses("nat"))
        assert reached(host, "nat2", lab6.outside.address, OUTSIDE)


def test_routed_containers_and_the_outside_reach_each_other_where_routes_are(host: Host, lab6: Lab) -> None:
    for address in (lab6.outside.address, OUTSIDE):
        assert not reached(host, "routed2", address)  # with its own address: nobody knows the way back

    with known_outside(lab6, "routed"):
        assert reached(host, "routed2", lab6.outside.address, OUTSIDE)
        assert all(lab6.outside.pings(address) for address in addresses("routed"))


def test_rules_of_the_administrator_come_before_ours_and_a_jump_that_went_ahead_of_them_moves_back(
    host: Host, lab6: Lab
) -> None:
    outside = lab6.outside.address
    jump = next(rule for rule in host.exec("iptables", "-S", "FORWARD").splitlines() if "MOORAGE" in rule).split()
    host.exec("iptables", "-I", "DOCKER-USER", "-s", addresses("nat")[0], "-j", "DROP")

    assert not reached(host, "nat2", outside)
    assert reached(host, "nat3", outside)

    host.exec("iptables", "-D", *(word.strip('"') for word in jump[1:]))
    host.exec("iptables", "-I", *(word.strip('"') for word in jump[1:]))
    assert reached(host, "nat2", outside)
    host.procs["moorage-netplugin"].stop()
    host.start_netplugin()  # looks at everything at its start
    wait_for("the administrator's rule to hold again", lambda: not reached(host, "nat2", outside), 10)

    host.exec("iptables", "-F", "DOCKER-USER")
    host.exec("iptables", "-A", "DOCKER-USER", "-j", "RETURN")
    assert reached(host, "nat2", outside)


def test_without_gateway_nothing_leads_in_or_out(host: Host, lab6: Lab) -> None:
    routes = host.in_netns("shut2", "ip", "route") + host.in_netns("shut2", "ip", "-6", "route")

    assert "default" not in routes
    assert ["eth0", "lo"] == sorted(host.docker("exec", "shut2", "ls", "/sys/class/net").split())
    assert not any(host.pings(address) for address in addresses("shut"))
    host.in_netns("shut2", "ip", "route", "add", "default", "dev", "eth0")
    for address in (lab6.outside.address, host.address, addresses("shut", 1)[0], addresses("nat")[0]):
        assert not reached(host, "shut2", address)


def test_a_container_of_networks_with_and_without_a_way_out_takes_the_one_that_has_it(host: Host, lab6: Lab) -> None:
    host.docker("network", "connect", "nat", "shut3")

    routes = json.loads(host.in_netns("shut3", "ip", "-j", "route", "show", "default"))
    assert [addresses("nat", 1)[0]] == [route["gateway"] for route in routes]
    wait_for("IPv6 to be usable", lambda: reached(host, "shut3", addresses("nat", 1)[1]), 10)
    assert reached(host, "shut3", lab6.outside.address, OUTSIDE, *addresses("shut"), *addresses("nat"))

    host.docker("network", "disconnect", "nat", "shut3")

    assert not host.in_netns("shut3", "ip", "route", "show", "default")
    assert reached(host, "shut3", *addresses("shut"))


def test_the_host_forwards_ipv6_and_still_listens_to_its_routers(host: Host) -> None:
    assert ("1", "2") == (host.sysctl("net.ipv6.conf.all.forwarding"), host.sysctl("net.ipv6.conf.eth0.accept_ra"))

    host.sysctl("net.ipv6.conf.all.forwarding", 0)
    host.docker(*CREATE, "--subnet", "10.34.0.0/24", "more")  # every network is a look at all

    wait_for("forwarding to be back", lambda: host.sysctl("net.ipv6.conf.all.forwarding") == "1", 10)
    host.docker("network", "rm", "more")


def test_inspect_shows_what_a_container_has(host: Host) -> None:
    found = json.loads(inspect(host, "nat2", "json .NetworkSettings.Networks.nat"))
    settings = json.loads(host.docker("network", "inspect", "nat"))[0]["Containers"].values()
    link = json.loads(host.in_netns("nat2", "ip", "-j", "addr", "show", "dev", "eth0"))[0]

    assert {("10.31.0.2", 24), ("fd00:31::2", 64)} <= {(a["local"], a["prefixlen"]) for a in link["addr_info"]}
    assert (*addresses("nat"), *addresses("nat", 1)) == tuple(
        found[key] for key in ("IPAddress", "GlobalIPv6Address", "Gateway", "IPv6Gateway")
    )
    assert link["address"] == found["MacAddress"]
    assert {"nat2": (link["address"], "10.31.0.2/24", "fd00:31::2/64")}.items() <= {
        one["Name"]: (one["MacAddress"], one["IPv4Address"], one["IPv6Address"]) for one in settings
    }.items()


def test_an_ipv6_address_of_ones_own_is_given_once(host: Host) -> None:
    assert "fd00:31::2 is already in use" in refused(lambda: container(host, "x1", "nat", "--ip6", "fd00:31::2"))
    host.docker("rm", "-f", "x1")


def test_a_network_without_subnets_gets_one_of_each_family_of_its_own(host: Host, lab6: Lab) -> None:
    host.docker(*CREATE, "--ipv6", "free")
    container(host, "x1", "free")

    v4, v6 = (inspect(host, "x1", f".NetworkSettings.Networks.free.{key}") for key in ("Gateway", "IPv6Gateway"))
    assert ipaddress.ip_address(v4) in ipaddress.ip_network("10.192.0.0/10")
    assert ipaddress.ip_address(v6) in ipaddress.ip_network("fd00::/8")
    wait_for("IPv6 to be usable", lambda: reached(host, "x1", v6), 10)
    assert reached(host, "x1", OUTSIDE)
    assert 0 == lost(host, "x1", lab6.outside.address, count=2)
    host.docker("rm", "-f", "x1")
    host.docker("network", "rm", "free")
