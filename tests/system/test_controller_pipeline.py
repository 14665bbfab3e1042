"""The pipeline on a real Open vSwitch: who reaches whom, and what is dropped and why."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.pipeline import Reason
from records.model import GATEWAY_MAC, Endpoint
from tests import host
from tests.controlled import BROADCAST, arp, from_host, of_family, packet, solicitation
from tests.host import A1, D1, D2, ENDPOINTS, GREEN, KNOWN, R1, R2, RED, S1, W1, W2, W3
from tests.switch import Tracer

pytestmark = pytest.mark.system

MULTICAST = "01:00:5e:00:00:05"


@pytest.mark.parametrize(
    ("source", "target", "version"), [(W1, W2, 4), (W1, W2, 6), (W2, W1, 4), (W1, W3, 4), (D1, D2, 4), (R1, R2, 4)]
)
def test_endpoints_of_a_network_reach_each_other(
    trace: Tracer, source: Endpoint, target: Endpoint, version: int
) -> None:
    seen = trace(packet(source, of_family(target, version) or "", to_mac=target.mac))

    assert seen.port == target.ofport
    assert seen.tables == [0, 4, 12, 16, 36]


@pytest.mark.parametrize(("source", "target"), [(W1, A1), (A1, W1), (A1, W3)])
def test_networks_of_one_domain_are_routed_in_the_switch(trace: Tracer, source: Endpoint, target: Endpoint) -> None:
    seen = trace(packet(source, of_family(target, 4) or ""))

    assert seen.port == target.ofport
    assert f"set(eth(src={GATEWAY_MAC},dst={target.mac}))" in seen.actions
    assert "ttl=63" in seen.actions


def test_a_hop_too_many_ends_in_the_switch(trace: Tracer) -> None:
    assert trace(packet(W1, "10.2.0.21").replace("nw_ttl=64", "nw_ttl=1")).port is None


@pytest.mark.parametrize("target", ["10.1.0.1", "8.8.8.8", "10.77.0.1"])
def test_the_gateway_and_what_lies_behind_it_is_the_hosts(trace: Tracer, target: str) -> None:
    for source, vrf in ((W1, GREEN), (R1, RED)):
        seen = trace(packet(source, target))

        assert seen.port == vrf.ofport
        assert "ttl=63" not in seen.actions


def test_the_gateway_is_reached_in_ipv6_too(trace: Tracer) -> None:
    assert trace(packet(W1, "fd00:1::1")).port == GREEN.ofport
    assert trace(packet(W1, "2001:db8::1")).port == GREEN.ofport


@pytest.mark.parametrize(
    ("source", "target", "to_mac", "reason"),
    [
        (R1, "10.1.0.12", W2.mac, Reason.UNKNOWN_DESTINATION),  # an address of web's, from the other domain
        (W1, "10.1.0.32", R2.mac, Reason.UNKNOWN_DESTINATION),
        (W1, "10.2.0.21", A1.mac, Reason.OTHER_NETWORK),  # without the gateway
        (D1, "10.1.0.11", W1.mac, Reason.OTHER_NETWORK),
        (D1, "8.8.8.8", GATEWAY_MAC, Reason.NO_GATEWAY),
        (W1, "203.0.113.7", GATEWAY_MAC, Reason.FENCED),
        (W1, "fd00:7::7", GATEWAY_MAC, Reason.FENCED),
        (D1, "10.4.0.1", GATEWAY_MAC, Reason.NO_GATEWAY),
        (D1, "10.4.0.42", GATEWAY_MAC, Reason.NO_GATEWAY),
        (W1, "10.1.0.99", "02:42:0a:01:00:63", Reason.UNKNOWN_DESTINATION),
        (W1, "224.0.0.5", MULTICAST, Reason.MULTICAST),
        (W1, "255.255.255.255", BROADCAST, Reason.MULTICAST),
    ],
)
def test_what_may_not_pass_is_dropped_with_its_reason(
    trace: Tracer, source: Endpoint, target: str, to_mac: str, reason: Reason
) -> None:
    assert trace(packet(source, target, to_mac=to_mac)).reason == reason


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (packet(W1, "10.1.0.12", to_mac=W2.mac, from_ip="10.1.0.99"), Reason.FALSE_SOURCE),
        (packet(W1, "10.1.0.12", to_mac=W2.mac, from_ip="10.1.0.12"), Reason.FALSE_SOURCE),
        (packet(W1, "10.1.0.12", to_mac=W2.mac, from_mac="02:42:de:ad:be:ef"), Reason.FALSE_SOURCE),
        (packet(W1, "10.1.0.12", to_mac=W2.mac, from_mac=W2.mac, from_ip="10.1.0.12"), Reason.FALSE_SOURCE),
        (packet(W1, "8.8.8.8", from_mac=GATEWAY_MAC), Reason.FALSE_SOURCE),
        (packet(W1, "10.1.0.12", to_mac=W2.mac, from_ip="0.0.0.0"), Reason.FALSE_SOURCE),
        (packet(W1, "fd00:1::12", to_mac=W2.mac, from_ip="fd00:1::99"), Reason.FALSE_SOURCE),
        (packet(W3, "fd00:1::12", to_mac=W2.mac, from_ip="fd00:1::13"), Reason.FALSE_SOURCE),  # it has no IPv6
        (packet(W1, "10.1.0.12", to_mac=W2.mac, more=",dl_vlan=5,dl_vlan_pcp=0"), Reason.VLAN_TAGGED),
        (arp(W1, "10.1.0.12", spa="10.1.0.12"), Reason.FALSE_ARP),
        (arp(W1, "10.1.0.12", sha=W2.mac), Reason.FALSE_ARP),
        (arp(W1, "10.1.0.12", mac=W2.mac), Reason.FALSE_ARP),
        (arp(W1, "10.1.0.11", op=2, spa="10.1.0.1", sha=GATEWAY_MAC), Reason.FALSE_ARP),
        (arp(W1, "10.1.0.12", op=2), Reason.UNANSWERED),
        (arp(W1, "10.1.0.11"), Reason.OWN_ADDRESS),
        (arp(W1, "10.1.0.11", spa="0.0.0.0"), Reason.OWN_ADDRESS),
        (arp(W3, "10.1.0.13"), Reason.OWN_ADDRESS),
        (arp(W1, "192.168.7.7"), Reason.UNANSWERED),
        (arp(D1, "10.1.0.11"), Reason.UNANSWERED),  # of another domain
        (solicitation(W1, "fd00:1::11"), Reason.OWN_ADDRESS),
        (solicitation(W1, "fd00:1::77"), Reason.UNANSWERED),
        (solicitation(W1, "fd00:1::12", by="fd00:1::12"), Reason.FALSE_SOURCE),
        (solicitation(W1, "fd00:1::12", by="fe80::1"), Reason.LINK_LOCAL),
        (solicitation(W1, "fd00:1::11", by="::"), Reason.LINK_LOCAL),
        (solicitation(W1, "fd00:1::12", kind=136), Reason.ADVERTISEMENT),
        (packet(W1, "fd00:1::12").replace("icmpv6_type=128", "icmpv6_type=134"), Reason.ROGUE_ROUTER),
        (packet(W1, "fd00:1::12", from_ip="fe80::42:aff:fe01:b"), Reason.LINK_LOCAL),
        (f"in_port=11,dl_src={W1.mac},dl_dst={BROADCAST},udp,nw_src=10.1.0.11,udp_src=67", Reason.ROGUE_DHCP),
        (f"in_port=11,dl_src={W1.mac},dl_dst={BROADCAST},udp6,ipv6_src=fd00:1::11,udp_src=547", Reason.ROGUE_DHCP),
        (f"in_port=11,dl_src={W1.mac},dl_dst={BROADCAST},dl_type=0x88cc", Reason.NOT_IP),
        (f"in_port=11,dl_src={W1.mac},dl_dst=01:80:c2:00:00:00,dl_type=0x05ff", Reason.NOT_IP),  # spanning tree
        (f"in_port=LOCAL,dl_src={W1.mac},dl_dst={W2.mac},ip,nw_src=10.1.0.11,nw_dst=10.1.0.12", Reason.UNKNOWN_PORT),
        (f"in_port=200,dl_src={W1.mac},dl_dst={W2.mac},ip,nw_src=10.1.0.11,nw_dst=10.1.0.12", Reason.FALSE_SOURCE),
    ],
)
def test_who_speaks_for_others_is_dropped_with_the_reason(trace: Tracer, packet: str, reason: Reason) -> None:
    seen = trace(packet)

    assert seen.actions == "drop"
    assert seen.reason == reason


@pytest.mark.parametrize(
    ("packet", "port"),
    [
        (packet(S1, "10.1.0.12", to_mac=W2.mac, from_ip="10.9.9.9"), W2.ofport),
        (packet(S1, "10.1.0.12", to_mac=W2.mac, from_mac="02:42:de:ad:be:ef"), W2.ofport),
        (packet(S1, "fd00:1::12", to_mac=W2.mac, from_ip="2001:db8::9"), W2.ofport),
        (packet(S1, "10.2.0.21", from_ip="10.9.9.9"), A1.ofport),
        (packet(S1, "8.8.8.8", from_ip="10.9.9.9"), GREEN.ofport),
    ],
)
def test_who_may_speak_for_others_does(trace: Tracer, packet: str, port: int) -> None:
    assert trace(packet).port == port


@pytest.mark.parametrize(
    "asked",
    [
        arp(S1, "10.1.0.12", spa="10.1.0.200", mac="00:00:5e:00:01:07"),  # as VRRP's routers do
        solicitation(S1, "fd00:1::12", by="fd00:1::200"),
    ],
)
def test_who_may_speak_for_others_is_answered_under_any_address(trace: Tracer, asked: str) -> None:
    assert trace(asked).answered


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (packet(S1, "10.1.0.12", to_mac=W2.mac, from_ip="10.9.9.9", more=",dl_vlan=5,dl_vlan_pcp=0"), 2),
        (f"in_port=14,dl_src={S1.mac},dl_dst={BROADCAST},udp,nw_src=10.1.0.14,udp_src=67", Reason.ROGUE_DHCP),
        (f"in_port=14,dl_src={S1.mac},dl_dst={BROADCAST},udp6,ipv6_src=fd00:1::14,udp_src=547", Reason.ROGUE_DHCP),
        (packet(S1, "fd00:1::12").replace("icmpv6_type=128", "icmpv6_type=134"), Reason.ROGUE_ROUTER),
        (solicitation(S1, "fd00:1::12", kind=136), Reason.ADVERTISEMENT),
        (arp(S1, "10.1.0.12", op=2, spa="10.1.0.1", sha=GATEWAY_MAC), Reason.UNANSWERED),  # nobody hears it
        (f"in_port=14,dl_src={S1.mac},dl_dst={BROADCAST},dl_type=0x88cc", Reason.NOT_IP),
        (packet(S1, "10.1.0.99", to_mac=W2.mac, from_ip="10.9.9.9"), Reason.UNKNOWN_DESTINATION),
    ],
)
def test_who_may_speak_for_others_may_not_lead_them_astray(trace: Tracer, packet: str, reason: int) -> None:
    assert trace(packet).reason == reason


@pytest.mark.parametrize(
    ("source", "about", "mac"),
    [
        (W1, "10.1.0.12", W2.mac),
        (W1, "10.1.0.77", "02:42:0a:01:00:4d"),  # nobody has it
        (W1, "10.1.0.13", W3.mac),  # a MAC address of the user's
        (W1, "10.1.0.1", GATEWAY_MAC),
        (A1, "10.1.0.12", W2.mac),  # of another network of the domain
        (D1, "10.4.0.42", D2.mac),
    ],
)
def test_the_switch_answers_who_has_an_address(trace: Tracer, source: Endpoint, about: str, mac: str) -> None:
    seen = trace(arp(source, about))

    assert seen.answered
    assert f"arp(sip={about},tip={of_family(source, 4)},op=2,sha={mac},tha={source.mac})" in seen.actions


@pytest.mark.parametrize("about", ["10.4.0.1", "10.4.0.99"])
def test_a_network_without_gateway_has_nobody_there(trace: Tracer, about: str) -> None:
    """The subnet's flow answers with a MAC address made of the address, never with the gateway's."""
    assert GATEWAY_MAC not in trace(arp(D1, about)).actions


@pytest.mark.parametrize(
    ("by", "about", "mac", "flags"),
    [
        ("fd00:1::11", "fd00:1::12", W2.mac, 0x60000000),
        ("fe80::42:aff:fe01:b", "fd00:1::12", W2.mac, 0x60000000),
        ("fd00:1::11", "fd00:1::1", GATEWAY_MAC, 0xE0000000),
    ],
)
def test_the_switch_answers_neighbour_solicitations(trace: Tracer, by: str, about: str, mac: str, flags: int) -> None:
    seen = trace(solicitation(W1, about, by))

    assert seen.answered
    assert seen.tables == [0, 4, 8, 9]
    final = re.findall(r"^Final flow: (.*)$", seen.text, re.MULTILINE)[-1]
    for part in (f"ipv6_src={about}", f"ipv6_dst={by}", "icmp_type=136", f"nd_tll={mac}", f"dl_src={mac}"):
        assert part in final
    assert f"set_field:{flags}->nd_reserved" in seen.text


def test_the_host_reaches_containers_with_any_source(trace: Tracer) -> None:
    assert trace(from_host(GREEN, "10.1.0.11", W1.mac)).port == W1.ofport
    assert trace(from_host(GREEN, "10.2.0.21", A1.mac)).port == A1.ofport
    assert trace(from_host(GREEN, "10.1.0.13", W3.mac)).port == W3.ofport
    assert trace(from_host(GREEN, "fd00:1::12", W2.mac, "2001:db8::9")).port == W2.ofport
    assert trace(from_host(RED, "10.1.0.11", R1.mac)).port == R1.ofport  # the same address in the other domain


def test_the_host_does_not_reach_a_network_without_gateway(trace: Tracer) -> None:
    assert trace(from_host(GREEN, "10.4.0.41", D1.mac)).reason == Reason.OTHER_NETWORK


@pytest.mark.parametrize(("about", "mac"), [("10.1.0.11", W1.mac), ("10.2.0.21", A1.mac), ("10.1.0.13", W3.mac)])
def test_the_host_learns_the_containers_addresses_from_the_switch(trace: Tracer, about: str, mac: str) -> None:
    head = f"in_port=200,dl_src={GATEWAY_MAC},dl_dst={BROADCAST}"
    asked = f"{head},arp,arp_op=1,arp_spa=10.1.0.1,arp_tpa={about},arp_sha={GATEWAY_MAC}"

    seen = trace(asked)

    assert seen.answered
    assert f"sha={mac}" in seen.actions
    assert trace(asked.replace(f"arp_tpa={about}", "arp_tpa=10.1.0.1")).reason == Reason.OWN_ADDRESS


LOCAL = {e.docker_id: e for e in ENDPOINTS}
SUBNETS_OF = {e.id: [s for s in host.SUBNETS if s.network == e.network] for e in ENDPOINTS}
ZONES = {e.id: next(v.zone for v in (GREEN, RED, host.DARK) if v.id == KNOWN[e.network].vrf) for e in ENDPOINTS}


def reaches(source: Endpoint, target: str, *, gateway: bool, honest: bool) -> str | int:
    """Return what the specification says: the port, or `drop`; ten lines against the whole pipeline."""
    where = ipaddress.ip_address(target)
    if not honest:
        return "drop"
    has_gateway = source.network != host.DARK_NET.id
    if gateway and not has_gateway:
        return "drop"
    owned = [e for e in ENDPOINTS if ZONES[e.id] == ZONES[source.id] and of_family(e, where.version) == target]
    if not gateway:
        return next((e.ofport for e in owned if e.network == source.network), "drop")
    if owned:
        return owned[0].ofport
    mine = [s for s in host.SUBNETS if s.network in {e.network for e in ENDPOINTS if ZONES[e.id] == ZONES[source.id]}]
    if any(where in s.cidr and where != s.gateway for s in mine):
        return "drop"
    return next(v.ofport for v in (GREEN, RED) if v.zone == ZONES[source.id])


TARGETS = [*(str(e.ipv4.ip) for e in ENDPOINTS if e.ipv4), "10.1.0.1", "10.2.0.1", "10.1.0.200", "8.8.8.8"]


def test_who_reaches_whom_is_as_specified(trace: Tracer) -> None:
    seen: dict[str | int, int] = {}

    @settings(max_examples=400)
    @given(st.sampled_from(ENDPOINTS), st.sampled_from(TARGETS), st.booleans(), st.sampled_from(["", "mac", "ip"]))
    def model(source: Endpoint, target: str, gateway: bool, lie: str) -> None:
        if str(source.ipv4.ip if source.ipv4 else "") == target:
            return
        made = packet(
            source,
            target,
            to_mac=GATEWAY_MAC if gateway else "02:42:" + ipaddress.IPv4Address(target).packed.hex(":"),
            from_mac="02:42:0a:63:63:63" if lie == "mac" else None,
            from_ip="10.1.0.201" if lie == "ip" else None,
        )
        expected = reaches(source, target, gateway=gateway, honest=not lie or source.spoof)
        got = trace(made)
        assert (got.port if got.port is not None else "drop") == expected, got.text
        seen[expected] = seen.get(expected, 0) + 1

    model()
    assert len(seen) > 8, f"the model saw too little: {seen}"
