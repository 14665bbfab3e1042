import ipaddress

import pytest

from cli.tracing.facts import CannotLook
from cli.tracing.packet import Packet
from cli.tracing.story import Ended, Ending, Teller
from cli.tracing.switching import Switching, flow
from tests.tracing import FakeHost, golden, packet

A, B = ipaddress.ip_address("10.1.0.10"), ipaddress.ip_address("10.1.0.2")
MAC, OTHER = "02:42:0a:01:00:0a", "02:42:0a:01:00:02"
PING = packet("icmp 10.1.0.10 10.1.0.2")


def switching(host: FakeHost) -> Switching:
    return Switching(host, host.site, "moorage0", Teller())


def answering(text: str) -> FakeHost:
    host = FakeHost(flows=lambda _: text)
    host.add("a1", str(A), 5017)
    host.add("b1", str(B), 11601)
    return host


@pytest.mark.parametrize(
    ("asked", "name", "net", "end"),
    [
        (PING, "icmp", "nw", "icmp_type=8,icmp_code=0"),
        (PING.answer(), "icmp", "nw", "icmp_type=0,icmp_code=0"),
        (packet("icmp fd00::1 fd00::2"), "icmp6", "ipv6", "icmpv6_type=128,icmpv6_code=0"),
        (packet("udp fd00::1 fd00::2 53"), "udp6", "ipv6", "udp_src=40000,udp_dst=53"),
        (packet("sctp 10.1.0.1 10.1.0.2 7"), "sctp", "nw", "sctp_src=40000,sctp_dst=7"),
        (packet("tcp 10.1.0.1 10.1.0.2 7"), "tcp", "nw", "tcp_src=40000,tcp_dst=7,tcp_flags=syn"),
    ],
)
def test_a_packet_is_spelled_as_open_vswitch_reads_it(asked: Packet, name: str, net: str, end: str) -> None:
    ends = f"{net}_src={asked.ends.src},{net}_dst={asked.ends.dst},nw_ttl=64"

    assert f"{name},in_port=7,dl_src={MAC},dl_dst={OTHER},{ends},{end}" == flow(7, MAC, OTHER, asked)
    assert ",in_port=7,dl_vlan=100," in flow(7, MAC, OTHER, asked, 100)


def test_the_switchs_answer_to_an_arp_question_is_the_mac_that_is_sent_to() -> None:
    host = answering(golden("arp.ofproto"))

    assert OTHER == switching(host).ask("container a1", 5017, MAC, A, B)
    assert "arp,in_port=5017," in host.asked[0]


def test_a_neighbour_solicitation_goes_to_the_group_of_the_address() -> None:
    host = answering(golden("solicitation.ofproto"))
    target = ipaddress.ip_address("fd00:4::12:3")

    assert "02:42:0a:04:00:03" == switching(host).ask("container a1", 1, MAC, ipaddress.ip_address("fd00:4::2"), target)
    assert "dl_dst=33:33:ff:12:00:03,ipv6_src=fd00:4::2,ipv6_dst=ff02::1:ff12:3," in host.asked[0]


def test_a_packet_leaves_by_the_port_that_the_flows_say() -> None:
    assert 11601 == switching(answering(golden("echo.ofproto"))).carry(5017, MAC, OTHER, PING)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("nobody", "no running container of this network has the address"),
        ("spoof", "moorage.spoof=allow"),
        ("no-flow", "table 12 has no flow for it: is the controller running"),
    ],
)
def test_a_drop_is_told_with_what_can_be_done_about_it(file: str, words: str) -> None:
    with pytest.raises(Ended) as ended:
        switching(answering(golden(f"{file}.ofproto"))).carry(5017, MAC, OTHER, PING)

    assert Ending.DROPPED is ended.value.verdict.ending
    assert words in ended.value.verdict.words


def test_a_question_that_is_dropped_ends_there() -> None:
    with pytest.raises(Ended, match=r"nobody answers for 10\.1\.0\.2"):
        switching(answering(golden("nobody.ofproto"))).ask("container a1", 5017, MAC, A, B)


def test_a_question_to_a_whole_vlan_is_answered_by_the_container_that_has_the_address() -> None:
    flooded = "Flow: arp\n\n40. priority 90, cookie 0x4d4f070000000001\n    output:11601\n    output:9\n"

    assert OTHER == switching(answering(flooded)).ask("container a1", 5017, MAC, A, B)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("Unknown bridge\n", CannotLook, "does not trace the packet: Unknown bridge"),
        ("Flow: icmp\n\n>>>> over max translation depth 64 <<<<\n", CannotLook, "over max translation depth"),
        ("Flow: icmp\n\nFinal flow: unchanged\nDatapath actions: drop\n", Ended, "looked into no table"),
        ("Flow: icmp\n\n 8. priority 1\n    IN_PORT\n", Ended, "it goes back where it came from"),
    ],
)
def test_an_answer_that_tells_nothing_is_no_verdict(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        switching(answering(text)).carry(5017, MAC, OTHER, PING)
