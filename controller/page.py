"""docs/pipeline.md, made from the program: `python -m controller.page > docs/pipeline.md`; a test holds both equal."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from controller.flow import Flow
from controller.pipeline import Reason, Table
from controller.planner import fixed, flows
from controller.view import Attachment, Domain, Segment, Trunk, Vlan

MEANINGS = {
    Table.CLASSIFY: "by port: which segment (metadata) and routing domain (reg4); meter of what an endpoint sends",
    Table.PORT_SECURITY: "an endpoint sends with its own MAC and addresses only",
    Table.SOURCE: "reserved: identity of senders on other hosts",
    Table.NEIGHBOUR: "answers ARP for whole subnets, and the first half of neighbour solicitations",
    Table.NEIGHBOUR_ANSWER: "second half: the link-layer address option",
    Table.ROUTE: "to another subnet of the routing domain, or to its gateway port",
    Table.FORWARD: "by segment and address: the port (reg3) and its MAC; meter of what an endpoint receives",
    Table.CONNECTION: "reserved: connection tracking",
    Table.STATE: "reserved: state of the connection",
    Table.POLICY: "reserved: who may talk to whom",
    Table.COMMIT: "reserved: admitted connections",
    Table.OUT: "leaves by reg3",
    Table.FLOOD: "broadcast and multicast: to all of a VLAN; else dropped, for the switch answers what they ask for",
    Table.DROP: "counts what is dropped, by reason (reg9)",
}
_HEAD = """# The flow tables

Made by `python -m controller.page`; do not edit.

One bridge (`moorage0`, `fail_mode=secure`), OpenFlow 1.3 with Nicira's extensions. A packet goes forward only, never to
the controller. What the controller knows it knows from the records; it learns nothing from packets.

| table | name | what it does |
|---|---|---|
"""
_EXAMPLE = """
## Example

One endpoint 10.1.0.10 on port 11, of a network 10.1.0.0/24 with the gateway 10.1.0.1 on port 99, in routing domain 7.
"""
_VLAN = """
## Example of a VLAN

What comes to these with an endpoint 10.20.0.10 on port 12, on a network that is VLAN 100 behind the uplink on port 300.
"""


def page() -> str:
    """Return the page."""
    tables = "".join(f"| {table:d} | {table.name} | {MEANINGS[table]} |\n" for table in Table)
    reasons = "".join(f"| {reason:d} | {reason.name} | {reason.text} |\n" for reason in Reason)
    return (
        f"{_HEAD}{tables}\n## Why packets are dropped\n\n`ovs-ofctl dump-flows` of table {Table.DROP:d} counts them; "
        f"`moorage status` shows what is not 0.\n\n| reg9 | name | meaning |\n|---|---|---|\n{reasons}"
        f"{_EXAMPLE}\n```\n{_listed(_example())}```\n{_VLAN}\n```\n{_listed(_vlan())}```\n"
    )


def _listed(found: Iterable[Flow]) -> str:
    ordered = sorted(found, key=lambda flow: (flow.table, -flow.priority, flow.text))
    return "".join(f"{flow.text}\n" for flow in ordered)


def _example() -> Iterator[Flow]:
    subnet, gateway = ipaddress.IPv4Network("10.1.0.0/24"), ipaddress.IPv4Address("10.1.0.1")
    domain = Domain(zone=7, port=99)
    endpoint = Attachment(11, "02:42:0a:01:00:0a", ipaddress.IPv4Address("10.1.0.10"), None, segment=1, zone=7)
    network = Segment(1, (domain,), ((subnet, gateway),))
    yield from (*fixed(), *flows(domain), *flows(network), *flows(endpoint))


def _vlan() -> Iterator[Flow]:
    address, key = ipaddress.IPv4Address("10.20.0.10"), 1 << 24 | 100
    endpoint = Attachment(12, "02:42:0a:14:00:0a", address, None, segment=key, zone=8, on_vlan=True)
    network = Vlan(key, zone=8, vlan=100, uplink=300, members=(12,))
    yield from (*flows(Trunk(300)), *flows(network), *flows(endpoint))


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  # is what it is for
