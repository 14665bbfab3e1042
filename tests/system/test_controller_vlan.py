"""The pipeline of a VLAN network, packet by packet (`ofproto/trace`): tags, floods, and who may speak for whom."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.agent import Controller
from controller.pipeline import Reason
from records.memory import MemoryStore
from records.model import GATEWAY_MAC, Endpoint
from tests import host
from tests.controlled import BROADCAST, arp, of_family, packet, solicitation, start
from tests.host import OUTSIDERS, P1, P2, UPLINK, W1
from tests.switch import Switch, Trace, Tracer

pytestmark = pytest.mark.system

ROUTER, MACHINE = "0a:bb:00:00:00:fe", "0a:bb:00:00:00:09"
GROUP = "33:33:ff:00:00:51"


@pytest.fixture(scope="module")
def controller(one: Switch) -> Iterator[Controller]:
    running = start(one, MemoryStore(host.records()))
    yield running
    running.stop()


def outside(rest: str, *, vlan: int | None = 100, src: str = MACHINE, dst: str = P1.mac) -> str:
    """Return a frame that comes from the physical network."""
    tag = f"dl_vlan={vlan},dl_vlan_pcp=0," if vlan is not None else ""
    return f"in_port={UPLINK.ofport},{tag}dl_src={src},dl_dst={dst},{rest}"


def ping(to: str, by: str = "10.5.0.9") -> str:
    kind = "icmp6,icmpv6_type=128,ipv6_src={},ipv6_dst={}" if ":" in to else "icmp,icmp_type=8,nw_src={},nw_dst={}"
    return f"{kind.format(by, to)},nw_ttl=64"


def neighbour(kind: int, by: str, to: str) -> str:
    return f"icmp6,icmpv6_type={kind},ipv6_src={by},ipv6_dst={to},nw_ttl=255"


def ports(seen: Trace) -> set[int]:
    """Return by which ports a frame leaves."""
    written = {int(number) for number in re.findall(r"^ +output:(\d+)$", seen.text, re.MULTILINE)}
    back = {int(n) for n in re.findall(r"^ +output:(\d+)\n +>> skipping output to input port", seen.text, re.MULTILINE)}
    return (written - back) | ({seen.port} if seen.port is not None else set())


def is_tagged(seen: Trace) -> bool:
    return "push_vlan(vid=100,pcp=0)" in seen.actions


@pytest.mark.parametrize("to", ["10.5.0.9", "8.8.8.8", "10.5.255.254", "fd00:5::9", "2001:db8::1"])
def test_what_is_for_no_endpoint_leaves_tagged_by_the_uplink(trace: Tracer, to: str) -> None:
    seen = trace(packet(P1, to, to_mac=ROUTER))

    assert (seen.port, is_tagged(seen)) == (UPLINK.ofport, True)
    assert "ttl=63" not in seen.actions
    assert "eth(" not in seen.actions


def test_endpoints_of_the_vlan_reach_each_other_without_a_tag(trace: Tracer) -> None:
    for mac in (P2.mac, "02:42:0a:05:00:34"):  # also with the MAC address that the other had before
        seen = trace(packet(P1, "10.5.0.52", to_mac=mac))
        assert (seen.port, is_tagged(seen)) == (P2.ofport, False)


@pytest.mark.parametrize(("to", "mac"), [("10.5.0.51", P1.mac), ("fd00:5::51", P1.mac), ("10.5.0.51", MACHINE)])
def test_a_machine_reaches_an_endpoint_though_it_has_an_old_mac_address_of_it(trace: Tracer, to: str, mac: str) -> None:
    seen = trace(outside(ping(to, "fd00:5::9" if ":" in to else "10.5.0.9"), dst=mac))

    assert seen.port == P1.ofport
    assert "pop_vlan" in seen.actions
    assert (f"dst={P1.mac}" in seen.actions) == (mac != P1.mac)


@pytest.mark.parametrize(
    "asked",
    [
        arp(P1, "10.5.0.9"),
        arp(P1, "10.5.0.52"),  # who is here answers for himself too
        arp(P1, "10.5.255.254"),
        arp(P1, "10.5.0.51", spa="0.0.0.0"),  # looks for a duplicate of its address
        arp(P1, "10.5.0.51"),  # announces it
        solicitation(P1, "fd00:5::9"),
        solicitation(P1, "fd00:5::51", by="::"),
        packet(P1, "255.255.255.255", to_mac=BROADCAST),
        packet(P1, "ff02::1", to_mac="33:33:00:00:00:01"),
    ],
)
def test_broadcast_and_multicast_go_to_all_others_and_tagged_to_the_uplink(trace: Tracer, asked: str) -> None:
    seen = trace(asked)

    assert not seen.answered
    assert (ports(seen), is_tagged(seen)) == ({P2.ofport, UPLINK.ofport}, True)


@pytest.mark.parametrize(
    "rest",
    [
        "arp,arp_op=1,arp_spa=10.5.0.9,arp_tpa=10.5.0.51,arp_sha=" + MACHINE,
        "arp,arp_op=1,arp_spa=0.0.0.0,arp_tpa=10.5.0.51,arp_sha=" + MACHINE,  # so that the endpoint defends it
        neighbour(135, "fd00:5::9", "ff02::1:ff00:51") + ",nd_target=fd00:5::51",
        neighbour(136, "fd00:5::9", "ff02::1") + ",nd_target=fd00:5::9",
        "udp,nw_src=10.5.0.9,nw_dst=10.5.255.255,udp_dst=7",
    ],
)
def test_a_broadcast_from_outside_goes_to_all_endpoints_and_not_back(trace: Tracer, rest: str) -> None:
    seen = trace(outside(rest, dst=GROUP if "icmp6" in rest else BROADCAST))

    assert ports(seen) == {P1.ofport, P2.ofport}
    assert "push_vlan" not in seen.actions


def test_answers_of_machines_and_endpoints_go_where_they_are_sent(trace: Tracer) -> None:
    theirs = f"arp,arp_op=2,arp_spa=10.5.0.9,arp_tpa=10.5.0.51,arp_sha={MACHINE},arp_tha={P1.mac}"
    told = (
        f"icmp6,icmpv6_type=136,ipv6_src=fd00:5::51,ipv6_dst=fd00:5::9,nd_target=fd00:5::51,nd_tll={P1.mac},nw_ttl=255"
    )
    ours = arp(P1, "10.5.0.9", op=2).replace(BROADCAST, MACHINE)

    assert trace(outside(theirs)).port == P1.ofport
    for mine in (ours, f"in_port={P1.ofport},dl_src={P1.mac},dl_dst={MACHINE},{told}"):
        seen = trace(mine)
        assert (seen.port, is_tagged(seen)) == (UPLINK.ofport, True)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (outside(ping("10.5.0.51"), vlan=101), Reason.UNKNOWN_VLAN),
        (outside(ping("10.5.0.51"), vlan=0), Reason.UNKNOWN_VLAN),
        (outside(ping("10.5.0.51"), vlan=None), Reason.UNKNOWN_VLAN),
        (outside("dl_type=0x88cc", dst=BROADCAST), Reason.NOT_IP),
        (outside(ping("10.5.0.77"), dst="0a:bb:00:00:00:77"), Reason.ELSEWHERE),
        (outside(ping("10.1.0.11"), dst=W1.mac), Reason.ELSEWHERE),  # an endpoint of a bridge network
        (outside(ping("10.5.0.52"), src=P1.mac), Reason.FALSE_OUTSIDER),
        (outside(ping("10.5.0.52", "10.5.0.51")), Reason.FALSE_OUTSIDER),
        (outside(ping("fd00:5::9", "fd00:5::51")), Reason.FALSE_OUTSIDER),
        (
            outside(f"arp,arp_op=2,arp_spa=10.5.0.52,arp_tpa=10.5.0.51,arp_sha={MACHINE}"),
            Reason.FALSE_OUTSIDER,
        ),
        (
            outside(neighbour(136, "fe80::9", "ff02::1") + ",nd_target=fd00:5::51", dst=GROUP),
            Reason.FALSE_OUTSIDER,
        ),
        (outside(neighbour(134, "fe80::fe", "ff02::1"), dst=GROUP), Reason.OUTSIDE_ROUTER),
        (outside(neighbour(137, "fe80::fe", "fd00:5::51")), Reason.OUTSIDE_ROUTER),
        (outside(ping("10.5.0.51"), dst=GATEWAY_MAC), Reason.NO_GATEWAY),
        (packet(P1, "10.5.0.9", to_mac=ROUTER, from_ip="10.5.0.9"), Reason.FALSE_SOURCE),
        (packet(P1, "10.5.0.9", to_mac=ROUTER, from_mac=P2.mac), Reason.FALSE_SOURCE),
        (packet(P1, "10.5.0.9", to_mac=ROUTER, more=",dl_vlan=200,dl_vlan_pcp=0"), Reason.VLAN_TAGGED),
        (arp(P1, "10.5.0.9", spa="10.5.255.254"), Reason.FALSE_ARP),
        (
            solicitation(P1, "fd00:5::fe", kind=136).replace("nw_ttl", f"nd_tll={P1.mac},nw_ttl"),
            Reason.ADVERTISEMENT,
        ),
        (packet(P1, "ff02::1").replace("icmpv6_type=128", "icmpv6_type=134"), Reason.ROGUE_ROUTER),
        (f"in_port=51,dl_src={P1.mac},dl_dst={BROADCAST},udp,nw_src=10.5.0.51,udp_src=67", Reason.ROGUE_DHCP),
        (packet(W1, "10.5.0.51", to_mac=P1.mac), Reason.OTHER_NETWORK),
    ],
)
def test_what_may_not_pass_is_dropped_with_its_reason(trace: Tracer, frame: str, reason: Reason) -> None:
    seen = trace(frame)

    assert (seen.actions, seen.reason) == ("drop", reason)


def test_an_endpoint_tells_which_groups_it_listens_to(trace: Tracer) -> None:
    report = packet(P1, "ff02::16", to_mac="33:33:00:00:00:16", from_ip="fe80::42:aff:fe05:33")

    seen = trace(report.replace("icmpv6_type=128", "icmpv6_type=143"))

    assert UPLINK.ofport in ports(seen)


TARGETS = ["10.5.0.51", "10.5.0.52", "10.5.0.9", "10.1.0.11", "8.8.8.8"]


def test_who_reaches_whom_over_a_vlan_is_as_specified(trace: Tracer) -> None:
    seen: set[object] = set()

    def specified(source: Endpoint | None, target: str, vlan: int | None, lie: str) -> object:
        owner = next((e for e in OUTSIDERS if of_family(e, 4) == target), None)
        if lie or (source is None and vlan != 100):
            return "drop"
        if owner is not None:
            return owner.ofport
        return "drop" if source is None else UPLINK.ofport

    @settings(max_examples=300)
    @given(
        st.sampled_from([None, *OUTSIDERS]),
        st.sampled_from(TARGETS),
        st.sampled_from([None, 100, 200]),
        st.sampled_from(["", "", "mac", "ip"]),
    )
    def model(source: Endpoint | None, target: str, vlan: int | None, lie: str) -> None:
        if source is None:
            by = {"mac": {"src": P2.mac}, "ip": {}}.get(lie, {})
            made = outside(ping(target, "10.5.0.52" if lie == "ip" else "10.5.0.9"), vlan=vlan, dst=ROUTER, **by)
        elif of_family(source, 4) == target:
            return
        else:
            false = {"mac": {"from_mac": MACHINE}, "ip": {"from_ip": "10.5.0.9"}}.get(lie, {})
            made = packet(source, target, to_mac=ROUTER, **false)
        expected = specified(source, target, vlan, lie)
        got = trace(made)
        assert (got.port if got.port is not None else "drop") == expected, got.text
        seen.add(expected)

    model()
    assert seen == {"drop", P1.ofport, P2.ofport, UPLINK.ofport}
