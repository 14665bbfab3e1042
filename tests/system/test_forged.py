"""A container with raw sockets puts false frames on its wire: none reaches anybody, and each is counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import pytest

from controller.pipeline import Reason
from lab.command import wait_for
from lab.host import Host
from lab.lab import Lab
from lab.traces import drops
from records.model import GATEWAY_MAC
from tests.frames import (
    ALL_NODES,
    ARP,
    BROADCAST,
    DOT1AD,
    DOT1Q,
    IPV4,
    IPV6,
    Ipv4,
    Ipv6,
    advertisement,
    arp,
    ethernet,
    router,
    solicitation,
)
from tests.system.steps import CREATE, container
from tests.system.wire import Ear, ear, send

pytestmark = pytest.mark.system


@dataclasses.dataclass(frozen=True)
class At:
    """A container and its addresses."""

    name: str
    v4: str
    v6: str

    @property
    def mac(self) -> str:
        return "02:42:" + ":".join(f"{int(part):02x}" for part in self.v4.split("."))


LIAR = At("liar", "10.21.0.2", "fd00:21::2")
PEER = At("peer", "10.21.0.3", "fd00:21::3")  # on the liar's network
FAR = At("far", "10.22.0.2", "fd00:22::2")  # on another
GATEWAY, GATEWAY6, FAR_GATEWAY = "10.21.0.1", "fd00:21::1", "10.22.0.1"
LINK_LOCAL = "fe80::42:aff:fe15:2"  # the liar's own
NOBODY = "02:42:de:ad:be:ef"
LOOSE_ROUTE = bytes([131, 7, 4, 10, 22, 0, 2, 0])  # IPv4 option: by way of the far container (RFC 791)


def ip(header: Ipv4 | Ipv6, to: str, *, by: str = LIAR.mac, tags: tuple[tuple[int, int], ...] = ()) -> bytes:
    """Return a frame with a datagram."""
    return ethernet(to, by, IPV6 if isinstance(header, Ipv6) else IPV4, header.udp(4000, 5000, b""), tags)


def plain(to: str, payload: bytes, kind: int = IPV4) -> bytes:
    """Return a frame of the liar's own MAC address."""
    return ethernet(to, LIAR.mac, kind, payload)


V4 = Ipv4(LIAR.v4, PEER.v4)
FORGED: Mapping[str, tuple[bytes, Reason]] = {
    # as somebody else
    "the address of nobody": (ip(Ipv4("10.21.0.77", PEER.v4), PEER.mac), Reason.FALSE_SOURCE),
    "the address of its target": (ip(Ipv4(PEER.v4, PEER.v4), PEER.mac), Reason.FALSE_SOURCE),
    "the address of the gateway": (ip(Ipv4(GATEWAY, PEER.v4), PEER.mac), Reason.FALSE_SOURCE),
    "an address of the outside": (ip(Ipv4("8.8.8.8", PEER.v4), PEER.mac), Reason.FALSE_SOURCE),
    "an address of the far network": (ip(Ipv4("10.22.0.9", FAR.v4), GATEWAY_MAC), Reason.FALSE_SOURCE),
    "no address": (ip(Ipv4("0.0.0.0", PEER.v4), PEER.mac), Reason.FALSE_SOURCE),
    "an IPv6 address of nobody": (ip(Ipv6("fd00:21::77", PEER.v6), PEER.mac), Reason.FALSE_SOURCE),
    "a link-local address": (ip(Ipv6(LINK_LOCAL, PEER.v6), PEER.mac), Reason.LINK_LOCAL),
    "an IPv4 link-local address": (ip(Ipv4("169.254.3.4", PEER.v4), PEER.mac), Reason.FALSE_SOURCE),
    "a MAC address of nobody": (ip(V4, PEER.mac, by=NOBODY), Reason.FALSE_SOURCE),
    "the MAC address of its target": (ip(V4, PEER.mac, by=PEER.mac), Reason.FALSE_SOURCE),
    "the MAC address of the gateway": (ip(V4, PEER.mac, by=GATEWAY_MAC), Reason.FALSE_SOURCE),
    # about who has which address
    "an ARP answer for the gateway": (
        plain(PEER.mac, arp(2, LIAR.mac, GATEWAY, PEER.mac, PEER.v4), ARP), Reason.FALSE_ARP,
    ),
    "a gratuitous ARP answer for the gateway": (
        plain(BROADCAST, arp(2, LIAR.mac, GATEWAY, BROADCAST, GATEWAY), ARP), Reason.FALSE_ARP,
    ),
    "a gratuitous ARP request for the gateway": (
        plain(BROADCAST, arp(1, LIAR.mac, GATEWAY, "00:00:00:00:00:00", GATEWAY), ARP), Reason.FALSE_ARP,
    ),
    "an ARP request with a MAC address of nobody": (
        plain(BROADCAST, arp(1, NOBODY, LIAR.v4, "00:00:00:00:00:00", PEER.v4), ARP), Reason.FALSE_ARP,
    ),
    "an ARP answer for itself that nobody asked for": (
        plain(PEER.mac, arp(2, LIAR.mac, LIAR.v4, PEER.mac, PEER.v4), ARP), Reason.UNANSWERED,
    ),
    "an ARP request for the far container": (
        plain(BROADCAST, arp(1, LIAR.mac, LIAR.v4, "00:00:00:00:00:00", FAR.v4), ARP), Reason.UNANSWERED,
    ),
    "a neighbour advertisement for the gateway": (
        plain(PEER.mac, Ipv6(LIAR.v6, PEER.v6).icmp(136, advertisement(GATEWAY6, LIAR.mac)), IPV6),
        Reason.ADVERTISEMENT,
    ),
    "a neighbour advertisement for the gateway to all": (
        plain(ALL_NODES, Ipv6(LINK_LOCAL, "ff02::1").icmp(136, advertisement(GATEWAY6, LIAR.mac)), IPV6),
        Reason.ADVERTISEMENT,
    ),
    "a neighbour solicitation as another": (
        plain(PEER.mac, Ipv6(GATEWAY6, PEER.v6).icmp(135, solicitation(PEER.v6, LIAR.mac)), IPV6), Reason.FALSE_SOURCE,
    ),
    "a neighbour solicitation for the far container": (
        plain(GATEWAY_MAC, Ipv6(LIAR.v6, FAR.v6).icmp(135, solicitation(FAR.v6, LIAR.mac)), IPV6), Reason.UNANSWERED,
    ),
    # as a router or DHCP server
    "a router advertisement": (
        plain(ALL_NODES, Ipv6(LINK_LOCAL, "ff02::1").icmp(134, router(LIAR.mac, "fd66::")), IPV6), Reason.ROGUE_ROUTER,
    ),
    "a router advertisement to one": (
        plain(PEER.mac, Ipv6(LIAR.v6, PEER.v6).icmp(134, router(LIAR.mac, "fd66::")), IPV6), Reason.ROGUE_ROUTER,
    ),
    "an IPv6 redirect": (plain(PEER.mac, Ipv6(LIAR.v6, PEER.v6).icmp(137, bytes(36)), IPV6), Reason.ROGUE_ROUTER),
    "a DHCP offer": (plain(BROADCAST, Ipv4(LIAR.v4, "255.255.255.255").udp(67, 68, b"")), Reason.ROGUE_DHCP),
    "a DHCP offer to one": (plain(PEER.mac, V4.udp(67, 68, b"")), Reason.ROGUE_DHCP),
    "a DHCPv6 advertisement": (plain(PEER.mac, Ipv6(LIAR.v6, PEER.v6).udp(547, 546, b""), IPV6), Reason.ROGUE_DHCP),
    # what a container has no business with
    "a VLAN tag": (ip(V4, PEER.mac, tags=((DOT1Q, 5),)), Reason.VLAN_TAGGED),
    "a priority tag": (ip(V4, PEER.mac, tags=((DOT1Q, 0xE000),)), Reason.VLAN_TAGGED),
    "a service tag": (ip(V4, PEER.mac, tags=((DOT1AD, 5),)), Reason.VLAN_TAGGED),
    "two tags": (ip(V4, PEER.mac, tags=((DOT1AD, 5), (DOT1Q, 6))), Reason.VLAN_TAGGED),
    "two tags, both inner": (ip(V4, PEER.mac, tags=((DOT1Q, 5), (DOT1Q, 6))), Reason.VLAN_TAGGED),
    "a spanning tree message": (ethernet("01:80:c2:00:00:00", LIAR.mac, 38, bytes(38)), Reason.NOT_IP),
    "a neighbour discovery message of switches": (plain("01:80:c2:00:00:0e", b"", 0x88CC), Reason.NOT_IP),
    "MPLS": (plain(PEER.mac, b"\0\1\1\x40" + V4.udp(1, 2, b""), 0x8847), Reason.NOT_IP),
    "a broadcast": (ip(Ipv4(LIAR.v4, "255.255.255.255"), BROADCAST), Reason.MULTICAST),
    "a directed broadcast": (ip(Ipv4(LIAR.v4, "10.21.0.255"), BROADCAST), Reason.MULTICAST),
    "a directed broadcast by the gateway": (ip(Ipv4(LIAR.v4, "10.21.0.255"), GATEWAY_MAC), Reason.UNKNOWN_DESTINATION),
    "a multicast": (ip(Ipv4(LIAR.v4, "224.0.0.251"), "01:00:5e:00:00:fb"), Reason.MULTICAST),
    # straight to the far container
    "the far container's MAC address": (ip(Ipv4(LIAR.v4, FAR.v4), FAR.mac), Reason.OTHER_NETWORK),
    "the far container's MAC address in IPv6": (ip(Ipv6(LIAR.v6, FAR.v6), FAR.mac), Reason.OTHER_NETWORK),
}  # fmt: skip


def mark(name: str) -> bytes:
    """Return what a frame is known by where it arrives."""
    return f"<{name}>".encode()


def by_the_host(name: str, header: Ipv4 | Ipv6) -> bytes:
    """Return a frame for the gateway with the mark in its payload: a host that forwards cuts off what comes after."""
    kind = IPV6 if isinstance(header, Ipv6) else IPV4
    return plain(GATEWAY_MAC, header.udp(4000, 5000, mark(name).ljust(40)), kind)


BY_THE_HOST = {  # true senders: the host's forwarding must drop them
    "the far container by the gateway": Ipv4(LIAR.v4, FAR.v4),
    "the far container by the gateway in IPv6": Ipv6(LIAR.v6, FAR.v6),
    "a first fragment": Ipv4(LIAR.v4, FAR.v4, more=True),
    "a later fragment": Ipv4(LIAR.v4, FAR.v4, offset=48),
    "a loose source route": Ipv4(LIAR.v4, GATEWAY, options=LOOSE_ROUTE),
    "a directed broadcast of the far network": Ipv4(LIAR.v4, "10.22.0.255"),
}


def marked(name: str, frame: bytes) -> bytes:
    """Return a frame with a mark at its end, by which it is known where it arrives; Ethernet pads anyway."""
    return frame + mark(name)


@dataclasses.dataclass(frozen=True)
class Told:
    """What came of it."""

    ears: Mapping[str, Ear]
    counted: Mapping[int, int]  # reason -> packets dropped meanwhile


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    """A host with the liar, its peer, and the far container."""
    host = lab.host
    for number, name in ((21, "near"), (22, "away")):
        host.docker(*CREATE, "--subnet", f"10.{number}.0.0/24", "--ipv6", "--subnet", f"fd00:{number}::/64", name)
    for at, network in ((LIAR, "near"), (PEER, "near"), (FAR, "away")):
        container(host, at.name, network, "--ip", at.v4, "--ip6", at.v6)
    yield host
    host.repair()


@pytest.fixture(scope="module")
def told(host: Host) -> Iterator[Told]:
    """Send it all, and wait until what was sent after it has arrived."""
    with ear(host, "liar") as own, ear(host, "peer") as peer, ear(host, "far") as far:
        before = counted(host)
        send(host, "liar", [marked(name, frame) for name, (frame, _) in FORGED.items()])
        send(host, "liar", [by_the_host(name, header) for name, header in BY_THE_HOST.items()])
        fence(host, peer, far)
        wait_for(
            "the switch to have counted", lambda: sum(counted(host).values()) >= sum(before.values()) + len(FORGED)
        )
        after = counted(host)
        yield Told({"liar": own, "peer": peer, "far": far}, {key: n - before.get(key, 0) for key, n in after.items()})


def counted(host: Host) -> dict[int, int]:
    return {int(reason, 0): packets for reason, packets in drops(host).items()}


def fence(host: Host, peer: Ear, far: Ear) -> None:
    """What was sent before has arrived, or never will: these take the same ways, after it."""
    send(host, "liar", [ethernet(PEER.mac, LIAR.mac, IPV4, V4.udp(4000, 5000, b"<fence>"))])
    peer.wait(b"<fence>")
    host.in_netns("liar", "ping", "-c", "1", "-W", "2", GATEWAY)
    host.exec("bash", "-c", f"printf '<fence>' > /dev/udp/{FAR.v4}/5000")
    far.wait(b"<fence>")


@pytest.mark.parametrize("name", FORGED)
def test_a_false_frame_reaches_nobody_and_is_counted(told: Told, name: str) -> None:
    assert not [who for who, ear in told.ears.items() if ear.heard(mark(name))]
    assert told.counted[FORGED[name][1]] > 0


@pytest.mark.parametrize("name", BY_THE_HOST)
def test_a_true_packet_for_another_network_ends_at_the_host(told: Told, name: str) -> None:
    assert not [who for who, ear in told.ears.items() if ear.heard(mark(name))]


def test_each_reason_was_counted_as_often_as_it_was_given(told: Told) -> None:
    for reason in {reason for _, reason in FORGED.values()}:
        assert told.counted[reason] >= len([1 for _, given in FORGED.values() if given is reason]), reason


def test_what_is_true_has_arrived(told: Told) -> None:
    assert told.ears["peer"].heard(b"<fence>")
    assert told.ears["far"].heard(b"<fence>")


def test_its_neighbour_still_knows_who_is_who(host: Host, told: Told) -> None:
    known = host.in_netns("peer", "ip", "neigh")

    assert LIAR.mac not in "".join(line for line in known.splitlines() if not line.startswith((LIAR.v4, LIAR.v6)))
    assert "fd66:" not in host.in_netns("peer", "ip", "-6", "route")
    assert host.reaches("peer", GATEWAY)


def test_the_switch_answers_for_the_gateway_once_and_asks_nobody(host: Host, told: Told) -> None:
    who_has = arp(1, LIAR.mac, LIAR.v4, "00:00:00:00:00:00", GATEWAY)
    send(host, "liar", [marked("who has", plain(BROADCAST, who_has, ARP))])
    told.ears["liar"].wait(mark("who has"))
    host.in_netns("liar", "ping", "-c", "1", "-W", "2", PEER.v4)

    (answer,) = [frame for frame in told.ears["liar"].frames() if mark("who has") in frame]
    assert ethernet(LIAR.mac, GATEWAY_MAC, ARP, arp(2, GATEWAY_MAC, GATEWAY, LIAR.mac, LIAR.v4)) == answer[:42]
    assert not told.ears["peer"].heard(mark("who has"))


@pytest.mark.parametrize("address", [PEER.v4, PEER.v6, GATEWAY, GATEWAY6])
def test_what_needs_fragments_passes_where_it_may(host: Host, address: str) -> None:
    out = host.in_netns("liar", "ping", "-n", "-c", "3", "-i", "0.1", "-W", "2", "-s", "6000", address)

    assert " 0% packet loss" in out


def test_options_of_ip_pass_where_they_may(host: Host) -> None:
    assert PEER.v4 in host.in_netns("liar", "ping", "-n", "-R", "-c", "1", "-W", "2", PEER.v4).partition("RR:")[2]
