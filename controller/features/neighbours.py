"""The switch itself answers who has an address: no ARP and no neighbour solicitation reaches a container.

One flow answers ARP for a whole subnet, because an endpoint's MAC address is made of its IPv4 address (Docker's
convention, 02:42 and four bytes); an endpoint with another one has a flow of its own.  IPv6 has one flow an endpoint,
in two tables: the answer's own option can only be written once the packet is known to be an answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller import fields
from controller.actions import BACK, Action, load, move, set_field, set_mac
from controller.features.drops import drop, dropping
from controller.flow import Flow, flow
from controller.match import (
    ADVERTISEMENT,
    ARP,
    ARP_REQUEST,
    SOLICITATION,
    Address,
    Prefix,
    arp_tpa,
    mac_number,
    nd_target,
    vrf,
)
from controller.pipeline import Feature, Reason, Table
from controller.view import Attachment, Segment
from records.model import GATEWAY_MAC

_FEATURE = Feature.NEIGHBOURS
_TABLE = Table.NEIGHBOUR
_OWN, _ONE, _SUBNET, _REST, _MISS = 130, 120, 100, 50, 0  # priorities
_ROUTER, _SOLICITED, _OVERRIDE = 0x80000000, 0x40000000, 0x20000000  # flags of an advertisement, RFC 4861 4.4

_ASKS_FOR_OWN = {
    version: dropping(_FEATURE, _TABLE, _OWN, (fields.IN_PORT, *asked), Reason.OWN_ADDRESS)
    for version, asked in ((4, (ARP, fields.ARP_TPA)), (6, (*SOLICITATION, fields.ND_TARGET)))
}

_ARP_FIRST = (
    move(fields.ETH_SRC, fields.ETH_DST),
    load(2, fields.ARP_OP),
    move(fields.ARP_SHA, fields.ARP_THA),
)
_ARP_LAST = (
    move(fields.ARP_SPA, fields.REG8),
    move(fields.ARP_TPA, fields.ARP_SPA),
    move(fields.REG8, fields.ARP_TPA),
    BACK,
)
_ARP_FROM_ADDRESS = (
    *_ARP_FIRST,
    load(0x0242, fields.ARP_SHA, 32, 16),
    move(fields.ARP_TPA, fields.ARP_SHA),
    move(fields.ARP_SHA, fields.ETH_SRC),
    *_ARP_LAST,
)


def segment(of: Segment) -> Iterator[Flow]:
    """Answer for the subnets and gateways of a network."""
    for domain in of.domains:
        for prefix, gateway in of.subnets:
            if prefix.version == 4:
                yield _arp(_SUBNET, domain.zone, prefix, _ARP_FROM_ADDRESS)
            if gateway is not None:
                yield from _one(domain.zone, domain.port, gateway, GATEWAY_MAC, router=True)


def endpoint(at: Attachment) -> Iterator[Flow]:
    """Answer for an endpoint, but not to itself: it would take the answer for a conflict of addresses."""
    if at.on_vlan:
        return
    if at.ipv4 is not None and mac_number(at.mac) != 0x0242 << 32 | int(at.ipv4):
        yield from _one(at.zone, at.port, at.ipv4, at.mac, router=False)
    elif at.ipv4 is not None:
        yield _own(at.port, at.ipv4)
    if at.ipv6 is not None:
        yield from _one(at.zone, at.port, at.ipv6, at.mac, router=False)


def fixed() -> Iterator[Flow]:
    """The second half of IPv6 answers, and what nobody answers."""
    tell = (move(fields.ETH_SRC, fields.ND_TLL), BACK)
    yield flow(_FEATURE, Table.NEIGHBOUR_ANSWER, 100, ADVERTISEMENT, tell)
    yield drop(_FEATURE, Table.NEIGHBOUR_ANSWER, _MISS, (), Reason.UNEXPECTED)
    yield drop(_FEATURE, _TABLE, _REST, (ARP,), Reason.UNANSWERED)
    yield drop(_FEATURE, _TABLE, _REST, SOLICITATION, Reason.UNANSWERED)
    yield flow(_FEATURE, _TABLE, _MISS, (), (), Table.ROUTE)


def _one(zone: int, port: int, address: Address, mac: str, *, router: bool) -> Iterator[Flow]:
    """Answer for one address, held by whoever is at `port`."""
    yield _own(port, address)
    if address.version == 4:
        mine = (load(mac_number(mac), fields.ARP_SHA), set_mac(fields.ETH_SRC, mac))
        yield _arp(_ONE, zone, address, (*_ARP_FIRST, *mine, *_ARP_LAST))
        return
    flags = _SOLICITED | _OVERRIDE | (_ROUTER if router else 0)
    answer = (
        load(136, fields.ICMPV6_TYPE),
        load(0, fields.ICMPV6_CODE),
        set_field(fields.ND_OPTIONS_TYPE, 2),  # target link-layer address
        set_field(fields.ND_RESERVED, flags),
        move(fields.ETH_SRC, fields.ETH_DST),
        set_mac(fields.ETH_SRC, mac),
        move(fields.IPV6_SRC, fields.IPV6_DST),
        move(fields.ND_TARGET, fields.IPV6_SRC),
    )
    asked = (*SOLICITATION, vrf(zone), nd_target(address))
    yield flow(_FEATURE, _TABLE, _ONE, asked, answer, Table.NEIGHBOUR_ANSWER)


def _own(port: int, address: Address) -> Flow:
    return _ASKS_FOR_OWN[address.version].flow(port.to_bytes(4), address.packed)


def _arp(priority: int, zone: int, about: Address | Prefix, actions: tuple[Action, ...]) -> Flow:
    # By routing domain, not by segment: the host asks through one gateway port for all networks of the domain.
    return flow(_FEATURE, _TABLE, priority, (*ARP_REQUEST, vrf(zone), arp_tpa(about)), actions)
