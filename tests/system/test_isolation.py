"""Who reaches whom, packet by packet: networks by themselves, networks of a tenant, open ones, in both families."""

from __future__ import annotations

import concurrent.futures
import json
import struct
from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.lab import Lab
from lab.traces import flows
from records.model import GATEWAY_MAC
from tests.frames import ICMP, IPV4, Ipv4, checksum, ethernet, packed
from tests.system.steps import CREATE, container, inspect, nothing_left, refused
from tests.system.wire import ear

pytestmark = pytest.mark.system

NETWORKS = {  # name -> its number in subnets, options
    "alone": (11, ()),
    "other": (12, ()),
    "team1": (13, ("-o", "moorage.isolation=tenant", "-o", "moorage.tenant=team")),
    "team2": (14, ("-o", "moorage.isolation=tenant", "-o", "moorage.tenant=team")),
    "open1": (17, ("-o", "moorage.isolation=open")),
    "open2": (18, ("-o", "moorage.isolation=open", "-o", "moorage.tenant=rival")),
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


def pinged(host: Host, container: str, *addresses: str) -> list[str]:
    """Return the addresses that answer a container's pings."""

    def ping(address: str) -> bool:
        out = host.in_netns(container, "ping", "-n", "-c", "2", "-i", "0.1", "-W", "1", address, check=False)
        return " 0% packet loss" in out

    with concurrent.futures.ThreadPoolExecutor(len(addresses)) as pool:
        return [address for address, there in zip(addresses, pool.map(ping, addresses), strict=True) if there]


CLOSED = [("alone", "other"), ("alone", "team1"), ("team1", "alone"), ("team1", "rival"), ("open1", "alone")]


@pytest.mark.parametrize(("one", "other"), CLOSED)
def test_a_network_reaches_neither_a_container_nor_the_gateway_of_another(host: Host, one: str, other: str) -> None:
    theirs = (*addresses(host, other), *gateways(other))

    assert [*gateways(one)] == pinged(host, one, *theirs, *gateways(one))
    assert all(host.pings(address) for address in theirs)  # they are there


@pytest.mark.parametrize("one", ["alone", "team1", "open2"])
def test_an_open_network_is_reached_from_others_with_their_own_addresses(host: Host, one: str) -> None:
    there = addresses(host, "open1")
    with ear(host, "open1") as heard:
        assert [*there] == pinged(host, one, *there, *gateways("open1"))  # the host's services are not what is open
        for own, address in zip(addresses(host, one), there, strict=True):
            assert heard.heard(packed(own) + packed(address))


def test_an_open_network_has_no_more_ways_out_than_others(host: Host, lab: Lab) -> None:
    lab.outside.ip("route", "add", "10.17.0.0/24", "via", lab.fabric.lans["outside"][1])
    lab.fabric.ip("route", "add", "10.17.0.0/24", "via", host.address)

    assert pinged(host, "open1", lab.outside.address)
    assert not lab.outside.pings(addresses(host, "open1")[0])

    lab.fabric.ip("route", "del", "10.17.0.0/24")
    lab.outside.ip("route", "del", "10.17.0.0/24")


def test_the_hosts_own_addresses_are_reached_as_from_dockers_bridge(host: Host) -> None:
    known = (host.address, "172.17.0.1")

    assert [*known] == pinged(host, "alone", *known)


def test_a_false_source_that_got_past_the_switch_is_dropped_by_the_host(host: Host) -> None:
    """The switch is told to send a frame out of a gateway port: of the host's rules none but one has seen it."""
    port = gateway_port(host, gateways("alone")[0])
    with ear(host, "alone") as own, ear(host, "other") as other:
        for by in (addresses(host, "other")[0], addresses(host, "alone")[0]):
            ping = ICMP_ECHO + by.encode()
            frame = ethernet(GATEWAY_MAC, GATEWAY_MAC, IPV4, Ipv4(by, gateways("alone")[0]).packet(ICMP, echo(ping)))
            host.ofctl("packet-out", "moorage0", f"in_port=controller packet={frame.hex()} actions=output:{port}")
        own.wait(addresses(host, "alone")[0].encode())  # the true one, sent last, is answered
        host.exec("bash", "-c", f"printf '<fence>' > /dev/udp/{addresses(host, 'other')[0]}/5000")
        other.wait(b"<fence>")

        assert not other.heard(addresses(host, "other")[0].encode())


def gateway_port(host: Host, address: str) -> str:
    """Return the host's interface that has an address."""
    links = json.loads(host.ip("-j", "addr"))
    return next(str(link["ifname"]) for link in links if address in [own["local"] for own in link["addr_info"]])


ICMP_ECHO = bytes([8, 0, 0, 0, 0, 7, 0, 1])


def echo(message: bytes) -> bytes:
    """Return the message with its checksum."""
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def test_networks_of_a_tenant_reach_each_other_without_the_host(host: Host) -> None:
    for one, other in (("team1", "team2"), ("team2", "team1")):
        assert [*addresses(host, other)] == pinged(host, one, *addresses(host, other))
    out = host.in_netns("team1", "ping", "-n", "-c", "1", "-s", "6000", addresses(host, "team2")[0])  # in fragments
    both = {gateway_port(host, address) for name in ("team1", "team2") for address in gateways(name)}

    assert 1 == len(both)
    assert "ttl=63" in out  # one hop: the switch


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
    wait_for("its gateway to go", lambda: " 10.16.0.1/" not in host.ip("addr"), 10)
    assert pinged(host, "team1", addresses(host, "team2")[0])


def test_networks_that_the_switch_routes_between_must_have_one_mtu(host: Host) -> None:
    shared = ("-o", "moorage.isolation=tenant", "-o", "moorage.tenant=team", "-o", "moorage.mtu=1400")

    text = refused(lambda: host.docker(*CREATE, "--subnet", "10.16.0.0/24", *shared, "x3"))

    assert "use -o moorage.mtu=1500" in text
