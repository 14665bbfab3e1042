import ipaddress

import pytest

from cli.tracing.crossing import Crossing, because
from cli.tracing.facts import Route
from cli.tracing.firewall import Hit
from cli.tracing.rules import Ruleset, rule
from cli.tracing.story import Ended, Ending, Teller
from tests.tracing import FakeHost, packet, rules

HERE = ipaddress.ip_address("10.77.0.11")


@pytest.fixture
def host() -> FakeHost:
    own = {"lo": "127.0.0.1/8", "eth0": "10.77.0.11/24", "mg-1": "10.1.0.1/24"}
    return FakeHost(
        own={name: (ipaddress.ip_interface(address),) for name, address in own.items()},
        routes={
            "10.77.0.11": Route("lo", local=True),
            "127.0.0.1": Route("lo", local=True),
            "10.1.0.10": Route("mg-1"),
            "203.0.113.9": Route("eth0", gateway=ipaddress.ip_address("10.77.0.1")),
            "fd00::9": Route("eth0"),
        },
    )


def crossing(host: FakeHost) -> tuple[Crossing, Teller]:
    tell = Teller()
    return Crossing(host, "h1", tell), tell


def merged(*some: Ruleset) -> Ruleset:
    return Ruleset({table: chains for one in some for table, chains in one.tables.items()})


def test_what_the_host_sends_to_its_own_published_port_takes_another_way(host: FakeHost) -> None:
    host.saved[4] = rules("-A OUTPUT -p tcp --dport 8080 -j DNAT --to-destination 10.1.0.10:80", table="nat")
    cross, tell = crossing(host)
    through = cross.send(packet("tcp 10.77.0.11 10.77.0.11 8080"))

    assert "mg-1" == through.route.interface
    assert ("10.1.0.10", 80) == (str(through.packet.ends.dst), through.packet.ends.dport)
    assert any("its destination becomes 10.1.0.10:80" in step.words for step in tell.steps)

    answer = cross.enter(through.packet.answer(), "mg-1")

    assert answer.route.local
    assert "10.77.0.11" == str(answer.packet.ends.src)


def test_what_the_host_sends_to_itself_comes_in_by_lo(host: FakeHost) -> None:
    host.saved[4] = merged(rules("-A INPUT -i lo -j DROP"), rules("-A PREROUTING -i eth0 -j DROP", table="raw"))
    cross, _ = crossing(host)

    with pytest.raises(Ended, match="-A INPUT -i lo -j DROP"):
        cross.send(packet("tcp 127.0.0.1 127.0.0.1 80"))


def test_a_packet_without_a_way_is_dropped_with_the_kernels_reason(host: FakeHost) -> None:
    cross, _ = crossing(host)

    with pytest.raises(Ended, match="it has no route there"):
        cross.enter(packet("icmp 10.1.0.10 192.0.2.1"), "mg-1")
    with pytest.raises(Ended, match="it has no route there"):
        cross.send(packet("icmp 10.77.0.11 192.0.2.1"))


def test_the_kernel_tells_no_route_where_only_forwarding_is_off(host: FakeHost) -> None:
    host.forwarding = False
    cross, _ = crossing(host)

    for asked in ("icmp 10.1.0.10 192.0.2.1", "icmp 10.1.0.10 203.0.113.9"):
        with pytest.raises(Ended, match=r"net\.ipv4\.ip_forward is 0"):
            cross.enter(packet(asked), "mg-1")
    with pytest.raises(Ended, match=r"net\.ipv6\.conf\.all\.forwarding is 0"):
        cross.enter(packet("icmp fd00::2 fd00::9"), "mg-1")


def test_rules_that_cannot_be_judged_and_tables_that_are_not_read_are_noted(host: FakeHost) -> None:
    saved = rules("-A FORWARD -m set --match-set x src -j ACCEPT")
    host.saved[4] = Ruleset(saved.tables, ("nftables table inet fw is not looked at",))
    cross, tell = crossing(host)
    cross.enter(packet("icmp 10.1.0.10 203.0.113.9"), "mg-1")

    assert "nftables table inet fw is not looked at" in tell.notes
    assert any("cannot judge this rule, but it makes no difference" in note for note in tell.notes)


def test_where_a_rule_decides_that_cannot_be_judged_nothing_is_claimed(host: FakeHost) -> None:
    host.saved[4] = rules("-A FORWARD -m set --match-set x src -j DROP")
    cross, _ = crossing(host)

    with pytest.raises(Ended) as ended:
        cross.enter(packet("icmp 10.1.0.10 203.0.113.9"), "mg-1")

    assert Ending.UNKNOWN is ended.value.verdict.ending
    assert "iptables -t filter -A FORWARD -m set --match-set x src -j DROP" == ended.value.verdict.by


def test_marks_lead_on_and_end_with_the_host(host: FakeHost) -> None:
    host.saved[4] = merged(
        rules("-A PREROUTING -j MARK --set-xmark 0x7/0xffffffff", table="mangle"),
        rules("-A FORWARD -m mark --mark 0x7 -j ACCEPT", policy="DROP"),
    )
    cross, _ = crossing(host)
    through = cross.enter(packet("icmp 10.1.0.10 203.0.113.9"), "mg-1")

    assert ("eth0", 0) == (through.route.interface, through.packet.mark)


@pytest.mark.parametrize(
    ("line", "table", "inside", "outside", "words"),
    [
        ("-A DOCKER -j DROP", "filter", "eth0", "docker0", "a rule of Docker in DOCKER says so"),
        ("-A DOCKER-USER -j DROP", "filter", "mg-1", "eth0", "a rule in DOCKER-USER that is not Moorage's says so"),
        ("-A MOORAGE-PREROUTING -j DROP", "raw", "mv-1", None, "past the switch into the host"),
        ("-A MOORAGE-PREROUTING -j DROP", "raw", "mg-1", None, "no answer to its source address"),
        ("-A MOORAGE-INPUT -j DROP", "filter", "mg-1", None, "the gateways of other networks are closed"),
        ("-A MOORAGE-FORWARD -j DROP", "filter", "mg-1", "mg-2", "networks are closed to each other"),
        ("-A MOORAGE-FORWARD -j DROP", "filter", "eth0", "mg-1", "nothing new may come into the network"),
        ("-A MOORAGE-FORWARD -j DROP", "filter", "mg-1", "eth0", "Moorage does not let this network do that"),
    ],
)
def test_what_drops_is_told_with_its_reason(
    line: str, table: str, inside: str, outside: str | None, words: str
) -> None:
    hit = Hit(table, "FORWARD", rule(line), "DROP")

    assert words in because(hit, packet("icmp 10.1.0.1 10.2.0.1", inside=inside, outside=outside))
