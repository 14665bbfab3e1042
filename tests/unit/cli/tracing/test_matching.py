import ipaddress

import pytest

from cli.tracing.matching import LOCAL, Surroundings, matches, unknown
from cli.tracing.packet import Packet
from cli.tracing.rules import rule
from tests.tracing import packet

WAYS = {"10.1.0.2": "mg-1", "10.77.0.11": LOCAL}
AROUND = Surroundings(
    {"eth0": (ipaddress.ip_interface("10.77.0.11/24"),), "lo": (ipaddress.ip_interface("127.0.0.1/8"),)},
    lambda address: WAYS.get(str(address)),
)
WEB = packet("tcp 10.1.0.2 10.77.0.11 80", inside="mg-1", outside="eth0")
PING = packet("icmp 10.1.0.2 203.0.113.9")
PING6 = packet("icmp fd00::2 fd00::3")
ANSWER = WEB.answer()
TRANSLATED = WEB.to(ipaddress.ip_address("10.1.0.9"), 8080)
MARKED = packet("udp 10.1.0.2 10.77.0.11 53", mark=0x14, connection_mark=1)


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("-s 10.1.0.0/24", WEB, True),
        ("! -s 10.1.0.0/24", WEB, False),
        ("-s 10.1.0.0/255.255.255.0", WEB, True),
        ("-d fd00::/64", PING6, True),
        ("-d 10.0.0.0/8", PING6, False),
        ("-s 10.0.0.0/255.0.255.0", WEB, True),  # a mask with holes
        ("-s 10.0.1.0/255.0.255.0", WEB, False),
        ("-s 10.0.1.0/wide", WEB, None),
        ("-i mg-+", WEB, True),
        ("-i +", WEB, True),
        ("-i mg", WEB, False),
        ("! -o mg-+", WEB, True),
        ("-i mg-+", PING, False),
        ("-p tcp", WEB, True),
        ("-p 6", WEB, True),
        ("! -p tcp", WEB, False),
        ("-p all", WEB, True),
        ("-p icmp", PING, True),
        ("-p icmp", PING6, False),
        ("-p ipv6-icmp", PING6, True),
        ("-p frobnicate", WEB, None),
        ("-f", WEB, False),
        ("-p tcp -m tcp --dport 80", WEB, True),
        ("-p tcp -m tcp --dport 8000:9000", WEB, False),
        ("-p tcp -m tcp --dport :100", WEB, True),
        ("-p tcp -m tcp ! --dport 80", WEB, False),
        ("-p tcp -m tcp --sport 1024:", WEB, True),
        ("-p tcp -m multiport --dports 22,80,100:200", WEB, True),
        ("-p tcp -m multiport --ports 22,443", WEB, False),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", WEB, True),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", ANSWER, False),
        ("-p tcp -m tcp --syn", ANSWER, False),
        ("-p tcp -m tcp --tcp-flags ALL NONE", WEB, False),
        ("-p icmp -m icmp --icmp-type 8", PING, True),
        ("-p icmp -m icmp --icmp-type 8/0", PING, True),
        ("-p icmp -m icmp --icmp-type any", PING, True),
        ("-p icmp -m icmp --icmp-type echo-reply", PING.answer(), True),
        ("-p icmp -m icmp --icmp-type network-unreachable", PING, None),
        ("-p ipv6-icmp -m icmp6 --icmpv6-type 128", PING6, True),
        ("-p icmp -m icmp --icmp-type 8", WEB, False),
        ("-m conntrack --ctstate NEW", WEB, True),
        ("-m conntrack --ctstate RELATED,ESTABLISHED", WEB, False),
        ("-m conntrack --ctstate RELATED,ESTABLISHED", ANSWER, True),
        ("-m state --state INVALID", WEB, False),
        ("-m conntrack --ctstate DNAT", TRANSLATED, True),
        ("-m conntrack --ctstate DNAT", TRANSLATED.answer(), True),
        ("-m conntrack --ctstate SNAT", TRANSLATED, False),
        ("-m conntrack --ctstate UNTRACKED", packet("tcp 10.1.0.2 10.1.0.3 1", tracked=False), True),
        ("-m conntrack --ctdir REPLY", ANSWER, True),
        ("-m conntrack --ctorigdst 10.77.0.11/32 --ctorigdstport 80", TRANSLATED, True),
        ("-m addrtype --dst-type LOCAL", WEB, True),
        ("-m addrtype ! --dst-type LOCAL", WEB, False),
        ("-m addrtype --dst-type LOCAL", packet("tcp 10.77.0.11 127.0.0.1 80"), True),
        ("-m addrtype --dst-type LOCAL --limit-iface-in", WEB, False),  # not on mg1
        ("-m addrtype --dst-type LOCAL --limit-iface-out", WEB, True),
        ("-m addrtype --dst-type BROADCAST", packet("udp 10.77.0.12 10.77.0.255 1"), True),
        ("-m addrtype --dst-type MULTICAST", packet("udp 10.77.0.12 224.0.0.1 1"), True),
        ("-m iprange --src-range 10.1.0.1-10.1.0.5", WEB, True),
        ("-m mark --mark 0x4/0x4", MARKED, True),
        ("-m mark ! --mark 0x0", WEB, False),
        ("-m connmark --mark 0x1", MARKED, True),
        ("-m mark --mark 0x1", MARKED, False),
        ("-m comment --comment anything", WEB, True),
        ("-m physdev --physdev-is-bridged", WEB, False),
        ("-m owner --uid-owner 0", WEB, False),
        ("-m owner --uid-owner 0", packet("tcp 10.77.0.11 1.1.1.1 80", from_host=True), None),
        ("-m limit --limit 5/min", WEB, None),
        ("-m set --match-set bad src", WEB, None),
        ("-m socket --transparent", WEB, None),
        ("-m rpfilter", WEB, True),
        ("-m rpfilter --invert", WEB, False),
        ("-m rpfilter --invert", packet("tcp 10.9.0.2 1.1.1.1 80", inside="mg-1"), True),  # no way back
        ("-m rpfilter --invert", packet("tcp 10.1.0.2 1.1.1.1 80", inside="eth0"), True),  # another way back
        ("-m rpfilter --loose --invert", packet("tcp 10.1.0.2 1.1.1.1 80", inside="eth0"), False),
        ("-m rpfilter", packet("tcp 10.77.0.11 1.1.1.1 80", inside="eth0"), False),  # the host's own
        ("-m rpfilter --accept-local", packet("tcp 10.77.0.11 1.1.1.1 80", inside="eth0"), True),
        ("-m rpfilter --invert", packet("tcp 127.0.0.1 127.0.0.1 80", inside="lo"), False),
        ("-m rpfilter --validmark", packet("tcp 10.1.0.2 1.1.1.1 80", inside="mg-1", mark=1), None),
        ("-m rpfilter", PING, None),  # it came in by nothing
        ("-s 10.9.0.0/24 -m limit --limit 5/min", WEB, False),  # whatever the limit says
    ],
)  # fmt: skip
def test_a_rule_matches_as_the_manual_says(text: str, asked: Packet, expected: bool | None) -> None:
    assert expected is matches(rule(f"-A FORWARD {text} -j DROP"), asked, AROUND)


def test_what_cannot_be_judged_is_named_as_it_is_written() -> None:
    found = rule("-A INPUT -s 10.1.0.0/24 -m set ! --match-set bad src -j DROP")

    assert "-m set ! --match-set bad src" == unknown(found, WEB, AROUND)
