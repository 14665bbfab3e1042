"""An endpoint sends with its own MAC and IP addresses, and speaks for nobody else; the rest is dropped."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from controller import fields
from controller.features.drops import drop
from controller.fields import Field
from controller.flow import Flow, flow
from controller.match import (
    ADVERTISEMENT,
    ARP,
    ARP_REQUEST,
    ICMPV6,
    IPV4,
    IPV6,
    SOLICITATION,
    UDP,
    Prefix,
    Term,
    arp_spa,
    eth_src,
    in_port,
    ip,
    link_local,
    mac_bytes,
    term,
)
from controller.pattern import Pattern
from controller.pipeline import Feature, Reason, Table
from controller.view import Attachment, Domain
from records.model import GATEWAY_MAC

_FEATURE, _TABLE = Feature.PORT_SECURITY, Table.PORT_SECURITY

_TAGGED, _HOST, _FORBIDDEN, _OWN_ND, _OWN, _STRANGE, _MISS = 400, 300, 200, 110, 100, 10, 0  # priorities
_FROM_NOBODY = arp_spa(ipaddress.IPv4Address(0))  # an ARP probe, RFC 5227
_LINK_LOCAL = ipaddress.IPv6Network("fe80::/10")
_UNSPECIFIED = ipaddress.IPv6Network("::/128")  # the sender while it looks for duplicates of its address, RFC 4862


_ASKED = (Table.NEIGHBOUR, Table.ROUTE)  # where questions for neighbours may go on
_MINE = (fields.IN_PORT, fields.ETH_SRC)


def _own(*match: Term | Field, to: Table, priority: int = _OWN) -> Pattern:
    return Pattern(_FEATURE, _TABLE, priority, (*_MINE, *match), goto=to)


_OWN_IPV4 = _own(IPV4, fields.IPV4_SRC, to=Table.ROUTE)
_OWN_IPV6 = _own(IPV6, fields.IPV6_SRC, to=Table.ROUTE)
_OWN_ARP = {to: _own(ARP, fields.ARP_SPA, fields.ARP_SHA, to=to) for to in _ASKED}
_OWN_PROBE = {to: _own(*ARP_REQUEST, _FROM_NOBODY, fields.ARP_SHA, to=to) for to in _ASKED}
_OWN_SOLICITATION = {to: _own(*SOLICITATION, fields.IPV6_SRC, to=to, priority=_OWN_ND) for to in _ASKED}


def endpoint(at: Attachment) -> Iterator[Flow]:
    """What an endpoint may send."""
    asks = Table.ROUTE if at.on_vlan else Table.NEIGHBOUR  # on a VLAN everybody answers for himself
    if at.spoof:
        yield from _any_source(at.port, asks)
        return
    port, mac = at.port.to_bytes(4), mac_bytes(at.mac)
    if at.ipv4 is not None:
        ip4 = at.ipv4.packed
        yield _OWN_IPV4.flow(port, mac, ip4)
        yield _OWN_ARP[asks].flow(port, mac, ip4, mac)
        yield _OWN_PROBE[asks].flow(port, mac, mac)
    if at.ipv6 is not None:
        ip6 = at.ipv6.packed
        yield _OWN_IPV6.flow(port, mac, ip6)
        for source in (ip6, link_local(at.mac).packed):
            yield _OWN_SOLICITATION[asks].flow(port, mac, source)


def _any_source(port: int, asks: Table) -> Iterator[Flow]:
    """What an endpoint may send that may speak for others (a router): still what nobody may send is above this."""
    came = in_port(port)
    for protocol in (IPV4, IPV6):
        yield _allow(_OWN, (protocol, came), Table.ROUTE)
    yield _allow(_OWN, (ARP, came), asks)
    yield _allow(_OWN_ND, (*SOLICITATION, came), asks)


def gateway(domain: Domain) -> Iterator[Flow]:
    """What the host may send: anything, for clients of published ports keep their addresses; but from one MAC only."""
    yield _allow(_HOST, (in_port(domain.port), eth_src(GATEWAY_MAC)), Table.NEIGHBOUR)


def fixed() -> Iterator[Flow]:
    """What nobody may send, and names for what is left."""
    present = 0x1000  # OFPVID_PRESENT
    yield drop(_FEATURE, _TABLE, _TAGGED, (term(fields.VLAN_VID, present, present),), Reason.VLAN_TAGGED)
    yield drop(_FEATURE, _TABLE, _FORBIDDEN, (IPV4, UDP, term(fields.UDP_SRC, 67)), Reason.ROGUE_DHCP)
    yield drop(_FEATURE, _TABLE, _FORBIDDEN, (IPV6, UDP, term(fields.UDP_SRC, 547)), Reason.ROGUE_DHCP)
    for kind in (134, 137):  # router advertisement and redirect, RFC 4861
        yield drop(_FEATURE, _TABLE, _FORBIDDEN, (IPV6, ICMPV6, term(fields.ICMPV6_TYPE, kind)), Reason.ROGUE_ROUTER)
    yield drop(_FEATURE, _TABLE, _FORBIDDEN, ADVERTISEMENT, Reason.ADVERTISEMENT)
    for quiet in (_LINK_LOCAL, _UNSPECIFIED):
        yield drop(_FEATURE, _TABLE, _STRANGE + 10, (IPV6, _ip6_from(quiet)), Reason.LINK_LOCAL)
    yield drop(_FEATURE, _TABLE, _STRANGE, (ARP,), Reason.FALSE_ARP)
    for version in (4, 6):
        yield drop(_FEATURE, _TABLE, _STRANGE, (ip(version),), Reason.FALSE_SOURCE)
    yield drop(_FEATURE, _TABLE, _MISS, (), Reason.NOT_IP)


def _allow(priority: int, match: tuple[Term, ...], to: Table) -> Flow:
    return flow(_FEATURE, _TABLE, priority, match, (), to)


def _ip6_from(prefix: Prefix) -> Term:
    return term(fields.IPV6_SRC, int(prefix.network_address), int(prefix.netmask))
