import dataclasses
import ipaddress
import json

import pytest

from cli.tracing.facts import Container, Route, Sending
from cli.tracing.journey import Journey, Way
from cli.tracing.places import resolve
from cli.tracing.story import Ending, Story, as_json, lines
from records.model import GATEWAY_MAC, IpAddress
from tests.tracing import FakeHost, rules, switching

GATEWAY, OTHER = ipaddress.ip_address("10.1.0.1"), ipaddress.ip_address("10.2.0.1")
A, B, C, OUT, HERE = "10.1.0.10", "10.1.0.11", "10.2.0.10", "203.0.113.9", "10.77.0.11"


def ip(text: str) -> IpAddress:
    return ipaddress.ip_address(text)


@pytest.fixture
def host() -> FakeHost:
    """Containers a1 and b1 on web (10.1.0.0/24), c1 on other (10.2.0.0/24), gateways mg1 and mg2, a way out by eth0."""
    found = FakeHost()
    found.numbers = {"mg-1": 101, "mg-2": 102, "eth2": 99}
    for name, address, number, network in (("a1", A, 1, "web"), ("b1", B, 2, "web"), ("c1", C, 3, "other")):
        at = found.add(name, address, number, network)
        for to in (A, B, C, OUT, HERE, str(GATEWAY)):
            near = ip(to) in ipaddress.ip_network(f"{address}/24", strict=False)
            via = None if near else GATEWAY if network == "web" else OTHER
            found.inside[name, to] = Sending(Route("eth0", gateway=via, source=ip(address)), at.mac, True, at.port)
    macs = {a.attachments[0].ipv4: a.attachments[0].mac for a in found.containers}
    found.flows = switching(
        {str(a): m for a, m in macs.items()} | {"10.1.0.1": GATEWAY_MAC, "10.2.0.1": GATEWAY_MAC},
        {A: 1, B: 2, C: 101, f"102 {C}": 3, "10.1.0.1": 101, OUT: 101, HERE: 101},
    )
    own = {"lo": "127.0.0.1/8", "eth0": "10.77.0.11/24", "mg-1": "10.1.0.1/24", "mg-2": "10.2.0.1/24"}
    found.own = {name: (ipaddress.ip_interface(address),) for name, address in own.items()}
    found.routes = {
        **{here: Route("lo", local=True, source=ip(here)) for here in (HERE, "10.1.0.1", "10.2.0.1")},
        A: Route("mg-1", source=GATEWAY),
        B: Route("mg-1", source=GATEWAY),
        C: Route("mg-2", source=OTHER),
        **{out: Route("eth0", gateway=ip("10.77.0.1"), source=ip(HERE)) for out in (OUT, "198.51.100.1")},
    }
    return found


def follow(host: FakeHost, src: str, dst: str, port: int | None = None, *, network: str | None = None) -> Story:
    site = host.site
    journey = Journey(host, site, "h1", "moorage0", Way(4, network))
    return journey.run(resolve(src, site, 4), resolve(dst, site, 4), "icmp" if port is None else "tcp", port)


def told(story: Story) -> str:
    return "\n".join(lines(story, verbose=True))


def test_a_packet_between_containers_of_a_network_goes_through_the_switch_both_ways(host: FakeHost) -> None:
    story = follow(host, "a1", "b1", 80)

    assert (Ending.DELIVERED, 0) == (story.verdict.ending, story.verdict.exit_code)
    assert "delivered to container b1 on network web at 10.1.0.11, and the answer comes back" == story.verdict.words
    assert [False, True] == list(dict.fromkeys(step.answer for step in story.steps))
    assert (
        "tcp,in_port=1,dl_src=02:42:0a:01:00:0a,dl_dst=02:42:0a:01:00:0b,nw_src=10.1.0.10,nw_dst=10.1.0.11"
        in (host.asked[1])
    )
    assert host.asked[-1].endswith("tcp_src=80,tcp_dst=40000,tcp_flags=syn|ack")


def test_a_packet_to_the_outside_is_routed_filtered_and_masqueraded_and_its_answer_comes_back(host: FakeHost) -> None:
    host.saved[4] = rules("-A POSTROUTING -s 10.1.0.0/24 ! -o mg-1 -j MASQUERADE", table="nat")
    story = follow(host, "a1", OUT, 443)

    assert Ending.LEFT is story.verdict.ending
    assert "tcp 10.77.0.11:40000 -> 203.0.113.9:443" in story.verdict.words
    assert "its destination becomes 10.1.0.10 again" in told(story)
    assert ("whether 203.0.113.9 answers is not known here",) == story.notes


def test_a_rule_that_drops_is_told_with_whose_it_is_and_why(host: FakeHost) -> None:
    cases = {
        "-A FORWARD -s 10.1.0.0/24 -j DROP": "a rule in FORWARD that is not Moorage's says so",
        "-A FORWARD -m comment --comment moorage:1 -i mg-+ -o eth0 -j DROP": "Moorage does not let this network",
        "-A FORWARD -o mg-1 -j REJECT": "its answer is dropped",
        "-A FORWARD -m comment --comment moorage:1 -o mg-+ -j DROP": "its answer is dropped by host h1: nothing",
    }
    for line, words in cases.items():
        host.saved[4] = rules(line)
        story = follow(host, "a1", OUT)

        assert (Ending.DROPPED, 1) == (story.verdict.ending, story.verdict.exit_code)
        assert words in story.verdict.words
        assert story.verdict.by == f"iptables -t filter {line}"


def test_a_policy_that_drops_is_told(host: FakeHost) -> None:
    host.saved[4] = rules(policy="DROP")
    story = follow(host, "a1", OUT)

    assert "no rule lets it through, and the policy of filter FORWARD is DROP" in story.verdict.words
    assert "iptables -t filter -P FORWARD DROP" == story.verdict.by


def test_a_published_port_leads_through_the_host_into_another_network(host: FakeHost) -> None:
    saved = rules("-A PREROUTING -d 10.77.0.11 -p tcp --dport 8080 -j DNAT --to-destination 10.1.0.11:80", table="nat")
    host.saved[4] = saved
    story = follow(host, "c1", HERE, 8080)

    assert "delivered to container b1 on network web at 10.1.0.11" in story.verdict.words
    assert "its source becomes 10.77.0.11 again" in told(story)
    assert "it arrives at container b1 on network web, not at" not in told(story)


def test_a_host_without_forwarding_drops(host: FakeHost) -> None:
    host.forwarding = False

    assert "net.ipv4.ip_forward is 0" in follow(host, "a1", OUT).verdict.words


def test_where_nothing_listens_the_connection_is_refused(host: FakeHost) -> None:
    host.closed = {81}
    story = follow(host, "a1", "b1", 81)

    assert (Ending.REFUSED, 1) == (story.verdict.ending, story.verdict.exit_code)
    assert "nothing listens on tcp port 81" in story.verdict.words


def test_the_host_reaches_a_container_and_itself(host: FakeHost) -> None:
    assert "delivered to container a1" in follow(host, "host", "a1").verdict.words
    assert "delivered to the host at 10.77.0.11" in follow(host, "host", HERE).verdict.words
    assert "delivered to the host at 10.1.0.1" in follow(host, "a1", "host").verdict.words


def test_an_outsider_comes_in_by_the_interface_he_is_behind(host: FakeHost) -> None:
    host.saved[4] = rules("-A FORWARD -i eth0 -o mg-+ -j DROP")

    assert "-i eth0 -o mg-+ -j DROP" in follow(host, OUT, "a1").verdict.words
    assert "delivered to the host" in follow(host, "outside", HERE).verdict.words


def test_a_container_that_does_not_run_or_has_lost_its_port_is_told(host: FakeHost) -> None:
    host.containers[0] = dataclasses.replace(host.containers[0], state="exited")
    stopped = follow(host, "a1", "b1")
    port = dataclasses.replace(host.containers[1].attachments[0], ofport=None, problem="no room")
    host.containers[1] = dataclasses.replace(host.containers[1], attachments=(port,))
    lost = follow(host, "b1", "c1")

    assert "dropped by container a1: it is not running (exited)" == stopped.verdict.words
    assert "its port mv-2 is not in the switch: no room" in lost.verdict.words


def test_an_endpoint_that_is_not_up_is_noted(host: FakeHost) -> None:
    down = dataclasses.replace(host.containers[0].attachments[0], up=False)
    host.containers[0] = dataclasses.replace(host.containers[0], attachments=(down,))

    assert any("endpoint of container a1 is not up" in note for note in follow(host, "a1", "b1").notes)


def test_nobody_can_say_of_containers_that_moorage_does_not_carry(host: FakeHost) -> None:
    host.containers.append(Container("f" * 64, "plain", "running", (), ("bridge",)))
    for src, dst in (("plain", "a1"), ("a1", "plain")):
        story = follow(host, src, dst)

        assert 2 == story.verdict.exit_code
        assert "container plain is on no network of Moorage (it is on bridge)" in story.verdict.words


def test_a_network_that_the_container_is_not_on_is_told(host: FakeHost) -> None:
    assert (
        "neither end is on network nowhere; they are on web" in follow(host, "a1", OUT, network="nowhere").verdict.words
    )


def test_what_leaves_for_a_container_of_this_host_never_arrives(host: FakeHost) -> None:
    host.routes[B] = Route("eth0", source=ip(HERE))

    assert "no way into the network of container b1" in follow(host, "host", "b1").verdict.words


def test_a_packet_that_goes_in_circles_is_given_up(host: FakeHost) -> None:
    host.flows = switching({"10.1.0.1": GATEWAY_MAC, A: "02:42:0a:01:00:0a", B: "02:42:0a:01:00:0b"}, {B: 101})

    assert "a loop" in follow(host, "host", "b1").verdict.words


def test_a_machine_of_a_vlan_is_reached_and_reaches_by_the_uplink(host: FakeHost) -> None:
    here = dataclasses.replace(host.containers[0].attachments[0], vlan=100, uplink="eth2")
    host.containers[0] = dataclasses.replace(host.containers[0], attachments=(here,))
    there = "10.1.0.200"
    host.inside["a1", there] = Sending(Route("eth0", source=ip(A)), here.mac, True, here.port)
    known = switching({A: here.mac}, {A: 1, there: 99})
    flooded = "Flow: arp\n\n40. priority 90, cookie 0x4d4f070000000001\n    output:99\n"
    host.flows = lambda flow: flooded if f"arp_tpa={there}" in flow else known(flow)
    out, back = follow(host, "a1", there), follow(host, there, "a1")

    assert "leaves the host for VLAN 100 behind eth2" in out.verdict.words
    assert "passes the question on to eth2" in told(out)
    assert "delivered to container a1" in back.verdict.words
    assert any(",dl_vlan=100," in flow for flow in host.asked)


def test_json_has_the_steps_and_the_exit_code(host: FakeHost) -> None:
    found = json.loads(as_json(follow(host, "a1", "b1")))

    assert {"packet", "steps", "verdict", "notes", "exit_code"} == set(found)
    assert {"where", "words", "exactly", "well", "answer"} == set(found["steps"][0])
    assert "delivered" == found["verdict"]["ending"]


def test_only_what_decided_is_shown_exactly_unless_asked_for_all(host: FakeHost) -> None:
    host.saved[4] = rules("-A FORWARD -s 10.1.0.0/24 -j DROP")
    story = follow(host, "a1", OUT)
    short, long = list(lines(story)), list(lines(story, verbose=True))

    assert "      iptables -t filter -A FORWARD -s 10.1.0.0/24 -j DROP" in short
    assert len(long) > len(short)
    assert any("cookie=0x4d4f05983e5d15df" in line for line in long)


def test_where_an_address_of_the_family_is_missing_nothing_is_claimed(host: FakeHost) -> None:
    site = host.site
    journey = Journey(host, site, "h1", "moorage0", Way(6))
    story = journey.run(resolve("a1", site, 6), resolve("b1", site, 6), "icmp", None)

    assert "container b1 has no IPv6 address" in story.verdict.words


def test_a_container_without_a_way_or_whose_interface_is_down_or_anothers_is_told(host: FakeHost) -> None:
    sending = host.inside["a1", B]
    host.inside["a1", B] = dataclasses.replace(sending, up=False)
    down = follow(host, "a1", "b1")
    host.inside["a1", B] = dataclasses.replace(sending, port="veth1")
    other = follow(host, "a1", "b1")
    host.inside["a1", B] = dataclasses.replace(sending, route=Route("lo", local=True))
    own = follow(host, "a1", "b1")
    del host.inside["a1", B]
    no_way = follow(host, "a1", "b1")

    assert "its interface eth0 is down" in down.verdict.words
    assert "is sent by eth0, which is not on a network of Moorage" in other.verdict.words
    assert "delivered to container a1 itself" == own.verdict.words
    assert "has no way to 10.1.0.11" in no_way.steps[0].words


def test_a_host_or_an_outsider_without_a_way_is_told(host: FakeHost) -> None:
    del host.routes[B]
    del host.routes["198.51.100.1"]
    host.own = {}

    assert "has no way to 10.1.0.11" in follow(host, "host", "b1").steps[0].words
    assert "knows no interface that 198.51.100.1 is behind" in follow(host, "outside", "b1").verdict.words
    assert "the host has no IPv4 address" in follow(host, "a1", "host").verdict.words


def test_a_missing_gateway_port_and_a_foreign_port_are_told(host: FakeHost) -> None:
    host.flows = switching({B: "02:42:0a:01:00:0b", A: "02:42:0a:01:00:0a"}, {B: 77})
    foreign = follow(host, "a1", "b1")
    del host.numbers["mg-1"]
    missing = follow(host, "host", "b1")

    assert "it leaves by port 77, which is no port of Moorage" in foreign.verdict.words
    assert "the gateway port mg-1 is not in the switch" in missing.verdict.words


def test_an_uplink_that_is_missing_is_told(host: FakeHost) -> None:
    here = dataclasses.replace(host.containers[0].attachments[0], vlan=100, uplink="eth9")
    host.containers[0] = dataclasses.replace(host.containers[0], attachments=(here,))

    assert "the uplink eth9 is not in the switch" in follow(host, "10.1.0.200", "a1").verdict.words


def test_a_packet_that_another_container_gets_is_noted(host: FakeHost) -> None:
    host.saved[4] = rules("-A PREROUTING -d 10.1.0.11 -j DNAT --to-destination 10.1.0.10", table="nat")
    macs = {A: "02:42:0a:01:00:0a", C: "02:42:0a:02:00:0a", "10.1.0.1": GATEWAY_MAC, "10.2.0.1": GATEWAY_MAC}
    host.flows = switching(macs, {f"3 {B}": 102, A: 1, C: 101, f"102 {C}": 3})

    assert "it arrives at container a1 on network web, not at container b1" in follow(host, "c1", "b1").notes


def test_an_answer_that_ends_elsewhere_is_no_delivery(host: FakeHost) -> None:
    host.routes[A] = Route("lo", local=True)

    assert "the answer arrives at the host, not at container a1" in follow(host, "a1", HERE).verdict.words
