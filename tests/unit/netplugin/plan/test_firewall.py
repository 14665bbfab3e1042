import ipaddress
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from netplugin.plan.firewall import Firewall
from netplugin.plan.rules import FAMILIES, Family, Part, Rule, Ruleset, Span
from netplugin.plan.rules import parts as concerned
from records.memory import MemoryStore
from records.model import (
    DockerNetwork,
    DockerNetworkId,
    Endpoint,
    EndpointId,
    Gateway,
    Host,
    HostId,
    Isolation,
    Kind,
    Network,
    NetworkId,
    Protocol,
    Published,
    PublishedId,
    Record,
    Space,
    SpaceId,
    Subnet,
    SubnetId,
    Tenant,
    TenantId,
    Vrf,
    VrfId,
)
from records.snapshot import Records
from records.writes import Insert

GOLDEN = Path(__file__).parents[3] / "golden"
HOST = Host(id=HostId(uuid.UUID(int=1)), name="a")
TENANT = Tenant(id=TenantId(uuid.UUID(int=2)), name="default")
SPACE = Space(id=SpaceId(uuid.UUID(int=3)), name="host/a")


def network(
    number: int,
    gateway: Gateway,
    *subnets: tuple[str, str | None],
    isolation: Isolation = Isolation.NETWORK,
    domain: int | None = None,
) -> Sequence[Record]:
    """Return a network; its routing domain's id is made of a number, so that names in rules are always the same.

    `domain` is that of another network, where it shares that one's.
    """
    key = VrfId(uuid.UUID(int=(domain or number) << 96))
    net = Network(
        id=NetworkId(uuid.uuid4()),
        name=f"n{number}",
        tenant=TENANT.id,
        kind=Kind.BRIDGE,
        segment=number,
        mtu=1500,
        gateway=gateway,
        isolation=isolation,
    )
    vrf = Vrf(id=key, host=HOST.id, name=f"network/{number}", zone=number, ofport=number)
    on = DockerNetwork(
        id=DockerNetworkId(uuid.uuid4()), docker_id=f"{number:064x}", host=HOST.id, network=net.id, vrf=key
    )
    made = [
        Subnet(
            id=SubnetId(uuid.uuid4()),
            space=SPACE.id,
            cidr=ipaddress.ip_network(cidr),
            network=net.id,
            gateway=ipaddress.ip_address(ip) if ip else None,
        )
        for cidr, ip in subnets
    ]
    return [net, *([] if domain else [vrf]), on, *made]


NAT = network(1, Gateway.NAT, ("10.1.0.0/16", "10.1.0.1"))
DUAL = network(2, Gateway.NAT, ("10.2.0.0/24", "10.2.0.1"), ("10.3.0.0/24", "10.3.0.1"), ("fd02::/64", "fd02::1"))
ROUTED = network(3, Gateway.ROUTED, ("192.0.2.0/24", "192.0.2.1"), ("2001:db8::/64", "2001:db8::1"))
OPEN = network(5, Gateway.NAT, ("10.5.0.0/24", "10.5.0.1"), ("fd05::/64", "fd05::1"), isolation=Isolation.OPEN)
SHARING = [
    network(6, Gateway.NAT, ("10.6.0.0/24", "10.6.0.1"), isolation=Isolation.TENANT),
    network(7, Gateway.NAT, ("10.7.0.0/24", "10.7.0.1"), isolation=Isolation.TENANT, domain=6),
]
INTERNAL = network(4, Gateway.NONE, ("10.4.0.0/16", None))


def serving(on: Sequence[Record], number: int, ipv4: str, ipv6: str | None, *ports: str) -> Sequence[Record]:
    """Return an endpoint of a network and its published ports, each as in `tcp 10.0.0.1 8080 80`."""
    net, known = (next(r for r in on if isinstance(r, kind)) for kind in (Network, DockerNetwork))
    made = Endpoint(
        id=EndpointId(uuid.uuid4()),
        docker_id=f"{number:064x}",
        docker_network=known.id,  # type: ignore[arg-type]
        network=net.id,  # type: ignore[arg-type]
        host=HOST.id,
        ofport=100 + number,
        mac=f"02:00:00:00:00:{number:02x}",
        ipv4=ipaddress.ip_interface(ipv4),
        ipv6=ipaddress.ip_interface(ipv6) if ipv6 else None,
    )
    found: list[Record] = [made]
    for words in map(str.split, ports):
        protocol, ip, host_port, port = words
        found.append(
            Published(
                id=PublishedId(uuid.uuid4()),
                endpoint=made.id,
                host=HOST.id,
                protocol=Protocol(protocol),
                host_ip=ipaddress.ip_address(ip),
                host_port=int(host_port),
                port=int(port),
            )
        )
    return found


SERVING = [
    serving(NAT, 11, "10.1.0.11/16", None, "tcp 0.0.0.0 8080 80", "udp 10.77.0.11 53 53", "tcp 127.0.0.1 8081 81"),
    serving(DUAL, 12, "10.2.0.12/24", "fd02::12/64", "tcp 0.0.0.0 443 443", "tcp :: 443 443", "sctp :: 9 9"),
    serving(DUAL, 13, "10.3.0.13/24", "fd02::13/64", "tcp ::1 8443 443", "udp fd77::11 53 5353"),
]


def records(*networks: Sequence[Record]) -> Records:
    return MemoryStore().commit([Insert(record) for record in [HOST, TENANT, SPACE, *(r for n in networks for r in n)]])


def parts(records: Records) -> Sequence[Part]:
    """Return what the planner has rules of, the families first."""
    return sorted(Firewall("a").keys(records), key=lambda part: (isinstance(part, Span), str(part)))


def text(records: Records) -> str:
    """Return the rules of all parts, their digests left out."""
    lines = []
    for part in parts(records):
        ruleset = Firewall("a").want(records, part)
        if ruleset is not None or part in FAMILIES:
            lines.append(f"# {part}")
        if ruleset is not None:
            jumps = sorted(ruleset.jumps, key=lambda rule: (rule.chain, rule.text), reverse=True)
            lines += [f"-t {rule.table} -I {rule.chain} {rule.text}" for rule in jumps]
            lines += [f"-t {rule.table} -A {rule.chain} {rule.text}" for rule in ruleset.rules]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("name", "networks"),
    [
        ("nothing", []),
        ("internal", [INTERNAL]),
        ("nat", [NAT]),
        ("dual-stack", [DUAL]),
        ("routed", [ROUTED]),
        ("open", [NAT, OPEN]),
        ("tenant", SHARING),
        ("published", [NAT, DUAL, *SERVING]),
        ("several", [ROUTED, INTERNAL, NAT, DUAL]),
    ],
)
def test_the_rules_are_as_reviewed(name: str, networks: list[Sequence[Record]]) -> None:
    assert (GOLDEN / f"{name}.rules").read_text() == text(records(*networks))


def test_the_order_in_which_networks_came_does_not_matter() -> None:
    assert text(records(NAT, DUAL, ROUTED)) == text(records(ROUTED, DUAL, NAT))


def test_the_order_in_which_ports_came_does_not_matter() -> None:
    assert text(records(NAT, DUAL, *SERVING)) == text(records(NAT, DUAL, *SERVING[::-1]))


def test_one_port_more_is_one_rule_more_in_one_part() -> None:
    few, more = (
        {part: ruleset.rules for part in parts(given) if (ruleset := Firewall("a").want(given, part)) is not None}
        for given in (records(NAT, DUAL, *SERVING[:2]), records(NAT, DUAL, *SERVING))
    )

    changed = {part: set(more[part]) - set(few.get(part, ())) for part in more if more[part] != few.get(part)}
    assert {Span("ipv6", Protocol.UDP, 0)} == changed.keys()  # the other port is of ::1, which no rule serves
    assert 1 == len(changed[Span("ipv6", Protocol.UDP, 0)])
    assert few.keys() < more.keys()


def test_a_port_concerns_its_span_and_its_family_alone() -> None:
    before = records(NAT, DUAL, *SERVING)
    for row in before.published:
        after = Records(before.tables.set("Published", before.published.without(row.id)))

        every, planner = {*parts(before), *parts(after)}, Firewall("a")
        assert {part for part in every if planner.want(before, part) != planner.want(after, part)} <= {*concerned(row)}


@pytest.mark.parametrize(("port", "span"), [(1, 0), (63, 0), (64, 1), (65535, 1023)])
def test_a_span_is_known_by_the_names_of_its_chains(port: int, span: int) -> None:
    row = next(r for r in serving(NAT, 1, "10.1.0.2/16", None, f"sctp 0.0.0.0 {port} 1") if isinstance(r, Published))
    _, found = concerned(row)
    assert isinstance(found, Span)

    assert (span, True) == (found.number, found.holds(row))
    for chain in found.chains["nat"]:
        assert found == Span.of_chain("ipv4", chain)
        assert len(chain) <= 28
    assert Span.of_chain("ipv4", "MOORAGE-PUBLISHED") is None


def test_both_families_are_always_looked_at_so_that_rules_left_behind_are_found() -> None:
    assert {"ipv4", "ipv6"} == Firewall("a").keys(records())


def test_networks_of_another_host_make_no_rules() -> None:
    assert Firewall("b").want(records(NAT), "ipv4") is None


def test_a_network_that_has_not_arrived_opens_nothing() -> None:
    seen = records(NAT)
    early = Records(seen.tables.set("Network", seen.networks.without(NAT[0].id)))

    assert text(records(INTERNAL)) == text(early)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rule_is_known_by_its_digest_alone(family: Family) -> None:
    made = Rule.make("nat", "MOORAGE-POSTROUTING", "-s 10.1.0.0/16 ! -o mg1 -j MASQUERADE")

    assert made == Rule("nat", "MOORAGE-POSTROUTING", made.digest, "as iptables-save puts it")
    assert made != Rule.make("nat", "MOORAGE-POSTROUTING", "-s 10.1.0.0/16 ! -o mg2 -j MASQUERADE")
    assert made != Rule.make("filter", "MOORAGE-POSTROUTING", "-s 10.1.0.0/16 ! -o mg1 -j MASQUERADE")


def test_all_digests_of_a_ruleset_differ() -> None:
    ruleset = Firewall("a").want(records(NAT, DUAL, ROUTED), "ipv4")
    assert isinstance(ruleset, Ruleset)

    rules = [*ruleset.rules, *ruleset.jumps]
    assert len(rules) == len({rule.digest for rule in rules})


def test_a_port_whose_endpoint_has_not_arrived_has_no_rule() -> None:
    seen = records(NAT, SERVING[0])
    early = Records(seen.tables.set("Endpoint", seen.endpoints.without(SERVING[0][0].id)))

    assert text(records(NAT)) == text(early)


if __name__ == "__main__":  # python -m tests.unit.netplugin.plan.test_firewall: write the files anew, then review them
    for mark in test_the_rules_are_as_reviewed.pytestmark:  # type: ignore[attr-defined]
        for name, networks in mark.args[1]:
            (GOLDEN / f"{name}.rules").write_text(text(records(*networks)))
