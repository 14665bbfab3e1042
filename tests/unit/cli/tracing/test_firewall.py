import ipaddress

import pytest

from cli.tracing.firewall import Fate, Passage, traverse
from cli.tracing.matching import Surroundings
from cli.tracing.packet import Packet
from cli.tracing.rules import Ruleset, parse
from tests.tracing import golden, packet, rules

AROUND = Surroundings(
    {"eth0": (ipaddress.ip_interface("10.77.0.11/24"),), "mg-1": (ipaddress.ip_interface("10.1.0.1/24"),)}
)
OUT = packet("tcp 10.1.0.10 203.0.113.9 80", inside="mg-b0a7ec8de132", outside="eth0")


def forward(ruleset: Ruleset, asked: Packet = OUT) -> Passage:
    return traverse(ruleset, "filter", "FORWARD", asked, AROUND)


def test_the_first_rule_that_matches_decides() -> None:
    found = forward(rules("-A FORWARD -p udp -j ACCEPT", "-A FORWARD -p tcp -j DROP", "-A FORWARD -j ACCEPT"))

    assert Fate.DROPPED is found.fate
    assert found.by is not None
    assert "-t filter -A FORWARD -p tcp -j DROP" == found.by.line


def test_the_policy_decides_at_the_end_and_where_the_built_in_chain_returns() -> None:
    for ruleset in (rules(policy="DROP"), rules("-A FORWARD -j RETURN", "-A FORWARD -j ACCEPT", policy="DROP")):
        found = forward(ruleset)

        assert Fate.DROPPED is found.fate
        assert found.by is not None
        assert "-t filter -P FORWARD DROP" == found.by.line


def test_a_chain_that_ends_or_returns_goes_on_behind_the_jump_and_a_goto_does_not() -> None:
    jump = rules("-A FORWARD -j A", "-A FORWARD -j DROP", "-A A -p tcp -j RETURN", "-A A -j ACCEPT")
    goto = rules("-A FORWARD -j A", "-A FORWARD -j ACCEPT", "-A A -g B", "-A A -j DROP", "-A B -p udp -j DROP")
    first = rules("-A FORWARD -g A", "-A FORWARD -j DROP", "-A A -p udp -j DROP")

    assert [Fate.DROPPED, Fate.PASSES, Fate.PASSES] == [forward(r).fate for r in (jump, goto, first)]


def test_a_rule_without_a_target_and_one_that_logs_change_nothing() -> None:
    found = forward(rules("-A FORWARD", '-A FORWARD -j LOG --log-prefix "-x "', "-A FORWARD -j REJECT"))

    assert Fate.REJECTED is found.fate


def test_where_a_rule_that_cannot_be_judged_makes_no_difference_it_is_only_told() -> None:
    found = forward(rules("-A FORWARD -m set --match-set bad src -j ACCEPT", "-A FORWARD -j ACCEPT"))

    assert Fate.PASSES is found.fate
    assert ("-t filter -A FORWARD -m set --match-set bad src -j ACCEPT",) == found.doubts


def test_where_it_does_nobody_can_say_and_the_rule_is_named() -> None:
    found = forward(rules("-A FORWARD -j A", "-A A -m set --match-set bad src -j DROP"))

    assert Fate.UNKNOWN is found.fate
    assert found.by is not None
    assert "--match-set bad src" in found.by.line
    assert "--match-set bad src" in found.why


def test_a_target_that_is_not_known_is_no_guess() -> None:
    assert Fate.UNKNOWN is forward(rules("-A FORWARD -j NFQUEUE --queue-num 1")).fate


def test_many_rules_that_cannot_be_judged_are_given_up_and_not_followed_for_ever() -> None:
    one = [f"-A FORWARD -m set --match-set s{i} src -j MARK --set-xmark 0x{i:x}/0xffff" for i in range(1, 40)]

    assert Fate.UNKNOWN is forward(rules(*one, "-A FORWARD -j ACCEPT")).fate


def test_marks_are_set_saved_and_matched() -> None:
    ruleset = rules(
        "-A PREROUTING -j MARK --set-xmark 0x14/0xffffffff",
        "-A PREROUTING -j CONNMARK --save-mark --nfmask 0xf --ctmask 0xf",
        "-A PREROUTING -m connmark --mark 0x4 -j MARK --set-xmark 0x1/0x1",
        table="mangle",
    )
    found = traverse(ruleset, "mangle", "PREROUTING", OUT, AROUND)

    assert (0x15, 0x4) == (found.packet.mark, found.packet.connection_mark)


@pytest.mark.parametrize(
    ("line", "chain", "source", "destination"),
    [
        ("-j DNAT --to-destination 172.17.0.2:80", "PREROUTING", "10.1.0.10 40000", "172.17.0.2 80"),
        ("-j DNAT --to-destination 172.17.0.2", "PREROUTING", "10.1.0.10 40000", "172.17.0.2 443"),
        ("-j DNAT --to-destination :8443", "PREROUTING", "10.1.0.10 40000", "203.0.113.9 8443"),
        ("-j DNAT --to-destination 10.9.0.1-10.9.0.4:80-90 --random", "PREROUTING", "10.1.0.10 40000", "10.9.0.1 80"),
        ("-j REDIRECT --to-ports 3128", "PREROUTING", "10.1.0.10 40000", "10.1.0.1 3128"),
        ("-j SNAT --to-source 192.0.2.7", "POSTROUTING", "192.0.2.7 40000", "203.0.113.9 443"),
        ("-j MASQUERADE", "POSTROUTING", "10.77.0.11 40000", "203.0.113.9 443"),
        ("-j MASQUERADE --to-ports 1024-2048", "POSTROUTING", "10.77.0.11 1024", "203.0.113.9 443"),
    ],
)  # fmt: skip
def test_addresses_are_translated(line: str, chain: str, source: str, destination: str) -> None:
    inside, outside = ("mg-1", None) if chain == "PREROUTING" else (None, "eth0")
    asked = packet("tcp 10.1.0.10 203.0.113.9 443", inside=inside, outside=outside)
    found = traverse(rules(f"-A {chain} {line}", table="nat"), "nat", chain, asked, AROUND)

    ends = found.packet.ends
    assert (source, destination) == (f"{ends.src} {ends.sport}", f"{ends.dst} {ends.dport}")
    assert Fate.PASSES is found.fate


@pytest.mark.parametrize(
    ("line", "mark", "connection"),
    [
        ("-j MARK --set-mark 0x4/0xf", 0x24, 0x1),
        ("-j MARK --set-xmark 0x4/0x0", 0x26, 0x1),
        ("-j MARK --and-mark 0xf0", 0x20, 0x1),
        ("-j MARK --or-mark 0x1", 0x23, 0x1),
        ("-j MARK --xor-mark 0x3", 0x21, 0x1),
        ("-j CONNMARK --set-xmark 0x8/0xff", 0x22, 0x8),
        ("-j CONNMARK --restore-mark", 0x1, 0x1),
        ("-j CONNMARK --save-mark", 0x22, 0x22),
        ("-j CT --zone 7", 0x22, 0x1),
    ],
)
def test_marks_are_made_as_the_manual_says(line: str, mark: int, connection: int) -> None:
    asked = packet("tcp 10.1.0.10 203.0.113.9 443", mark=0x22, connection_mark=1)
    found = traverse(rules(f"-A PREROUTING {line}", table="mangle"), "mangle", "PREROUTING", asked, AROUND)

    assert (mark, connection) == (found.packet.mark, found.packet.connection_mark)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-j DNAT --to-destination [fd00::9]:80", "fd00::9 80"),
        ("-j DNAT --to-destination fd00::9", "fd00::9 443"),
        ("-j NOTRACK", "fd00::2 443"),
    ],
)
def test_ipv6_is_translated_too(line: str, expected: str) -> None:
    ruleset = rules(f"-A PREROUTING {line}", table="nat")
    found = traverse(ruleset, "nat", "PREROUTING", packet("tcp fd00::1 fd00::2 443"), AROUND)

    assert expected == f"{found.packet.ends.dst} {found.packet.ends.dport}"


@pytest.mark.parametrize("line", ["-j DNAT", "-j DNAT --to-destination nowhere", "-j MARK", "-j MASQUERADE"])
def test_a_target_written_in_another_way_is_no_guess(line: str) -> None:
    asked = packet("tcp 10.1.0.10 203.0.113.9 443", outside="eth7")

    assert (
        Fate.UNKNOWN is traverse(rules(f"-A POSTROUTING {line}", table="nat"), "nat", "POSTROUTING", asked, AROUND).fate
    )


def test_a_redirected_packet_of_the_host_goes_to_its_loopback_address() -> None:
    asked = packet("tcp 10.77.0.11 203.0.113.9 443", outside="eth0", from_host=True)
    found = traverse(rules("-A OUTPUT -j REDIRECT", table="nat"), "nat", "OUTPUT", asked, AROUND)

    assert ("127.0.0.1", 443) == (str(found.packet.ends.dst), found.packet.ends.dport)


def test_an_untracked_packet_is_no_new_one() -> None:
    found = traverse(rules("-A PREROUTING -j CT --notrack", table="raw"), "raw", "PREROUTING", OUT, AROUND)

    assert not found.packet.tracked


def test_a_real_host_with_docker_lets_a_container_out_and_nobody_in() -> None:
    saved = parse(golden("docker.iptables"))
    out = forward(saved)
    back = forward(saved, OUT.answer().at("eth0", "mg-b0a7ec8de132"))
    stranger = forward(saved, packet("tcp 203.0.113.9 10.1.0.10 80", inside="eth0", outside="mg-b0a7ec8de132"))
    between = forward(saved, packet("icmp 10.1.0.10 10.2.0.2", inside="mg-b0a7ec8de132", outside="mg-ad0266de07ab"))
    false = forward(saved, packet("icmp 10.9.0.10 1.1.1.1", inside="mg-b0a7ec8de132", outside="eth0"))

    assert [Fate.PASSES, Fate.PASSES] == [out.fate, back.fate]
    assert [Fate.DROPPED] * 3 == [stranger.fate, between.fate, false.fate]
    assert between.by is not None
    assert "-i mg-+ -o mg-+" in between.by.line


def test_a_real_host_publishes_the_port_of_a_container_of_docker() -> None:
    saved = parse(golden("docker.iptables"))
    asked = packet("tcp 203.0.113.9 10.77.0.11 8080", inside="eth0")
    found = traverse(saved, "nat", "PREROUTING", asked, AROUND)
    let_in = forward(saved, found.packet.at("eth0", "docker0"))
    not_published = forward(saved, packet("tcp 203.0.113.9 172.17.0.2 81", inside="eth0", outside="docker0"))

    assert ("172.17.0.2", 80) == (str(found.packet.ends.dst), found.packet.ends.dport)
    assert [Fate.PASSES, Fate.DROPPED] == [let_in.fate, not_published.fate]
    assert not_published.by is not None
    assert not_published.by.rule is None


def test_a_chain_that_leads_back_to_itself_is_no_end_without_an_answer() -> None:
    assert Fate.UNKNOWN is forward(rules("-A FORWARD -j A", "-A A -j B", "-A B -j A")).fate
