"""Networks that are VLANs of the physical network: in and out by the uplink, tagged there, and open to its machines.

The physical network has machines that no record knows, so here everybody answers for himself: ARP, neighbour discovery
and other broadcasts are flooded, to the local endpoints and (from these) to the uplink.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from controller import fields
from controller.actions import POP_VLAN, load, output, push_vlan
from controller.features.drops import drop
from controller.flow import Flow, flow
from controller.match import (
    ADVERTISEMENT,
    ARP,
    ICMPV6,
    IPV4,
    IPV6,
    SOLICITATION,
    Address,
    Term,
    arp_spa,
    eth_dst,
    eth_src,
    in_port,
    ip,
    ip_src,
    link_local,
    mac_number,
    nd_target,
    term,
)
from controller.match import segment as in_segment
from controller.pipeline import FROM_UPLINK, Feature, Reason, Table
from controller.view import Attachment, Trunk, Vlan

_FEATURE = Feature.VLANS
_KNOWN_VLAN, _OTHER_VLAN = 100, 50  # priorities in CLASSIFY
_FALSE, _ROUTER, _OUTSIDER, _OWN_ADVERTISEMENT, _OWN = 350, 320, 310, 210, 105  # in PORT_SECURITY
_TO_MAC, _ELSEWHERE, _OUT = 190, 100, 90  # in FORWARD
_INWARDS, _EVERYWHERE = 100, 90  # in FLOOD

_PRESENT = 0x1000  # OFPVID_PRESENT
_ROUTER_KINDS = (134, 137)  # router advertisement and redirect, RFC 4861
_GROUP_KINDS = (131, 132, 143)  # who listens to which groups (RFC 2710, RFC 3810): physical switches go by it
_UNSPECIFIED = ipaddress.IPv6Address(0)  # the sender while it looks for duplicates of its address, RFC 4862
_FROM_UPLINK = term(fields.REG0, FROM_UPLINK, FROM_UPLINK)


def uplink(trunk: Trunk) -> Iterator[Flow]:
    """From the uplink, in none of our VLANs."""
    yield drop(_FEATURE, Table.CLASSIFY, _OTHER_VLAN, (in_port(trunk.port),), Reason.UNKNOWN_VLAN)


def network(of: Vlan) -> Iterator[Flow]:
    """Into the segment and out of it."""
    tagged = (in_port(of.uplink), term(fields.VLAN_VID, _PRESENT | of.vlan))
    entered = (POP_VLAN, load(FROM_UPLINK, fields.REG0), load(of.zone, fields.REG4), load(of.key, fields.METADATA))
    yield flow(_FEATURE, Table.CLASSIFY, _KNOWN_VLAN, tagged, entered, Table.PORT_SECURITY)

    here, tag = in_segment(of.key), push_vlan(of.vlan)
    yield drop(_FEATURE, Table.FORWARD, _ELSEWHERE, (here, _FROM_UPLINK), Reason.ELSEWHERE)
    yield flow(_FEATURE, Table.FORWARD, _OUT, (here,), (*tag, load(of.uplink, fields.REG3)), Table.OUT)

    members = tuple(output(port) for port in of.members)
    if members:
        yield flow(_FEATURE, Table.FLOOD, _INWARDS, (here, _FROM_UPLINK), members)
        yield flow(_FEATURE, Table.FLOOD, _EVERYWHERE, (here,), (*members, *tag, output(of.uplink)))


def endpoint(at: Attachment) -> Iterator[Flow]:
    """What an endpoint may say of itself here, what nobody outside may say of it, and frames that are for it."""
    if not at.on_vlan:
        return
    if at.spoof:
        yield _allow(_OWN_ADVERTISEMENT, (*ADVERTISEMENT, in_port(at.port)))
    elif at.ipv6 is not None:
        yield from _about_itself(at, at.ipv6)
    here = (in_segment(at.segment), _FROM_UPLINK)
    false: list[tuple[Term, ...]] = [(eth_src(at.mac),)]
    if at.ipv4 is not None:
        false += [(IPV4, ip_src(at.ipv4)), (ARP, arp_spa(at.ipv4))]
    if at.ipv6 is not None:
        false += [(IPV6, ip_src(at.ipv6)), (*ADVERTISEMENT, nd_target(at.ipv6))]
    for claim in false:
        yield drop(_FEATURE, Table.PORT_SECURITY, _FALSE, (*here, *claim), Reason.FALSE_OUTSIDER)
    for_it = (in_segment(at.segment), eth_dst(at.mac))
    yield flow(
        _FEATURE, Table.FORWARD, _TO_MAC, for_it, (load(at.port, fields.REG3),), Table.OUT, meter=at.receive_meter
    )


def fixed() -> Iterator[Flow]:
    """What the machines of the physical network may send; ports of theirs are nobody's here but the uplink's."""
    for kind in _ROUTER_KINDS:
        announced = (_FROM_UPLINK, IPV6, ICMPV6, term(fields.ICMPV6_TYPE, kind))
        yield drop(_FEATURE, Table.PORT_SECURITY, _ROUTER, announced, Reason.OUTSIDE_ROUTER)
    for protocol in (ARP, ip(4), ip(6)):
        yield flow(_FEATURE, Table.PORT_SECURITY, _OUTSIDER, (_FROM_UPLINK, protocol), (), Table.ROUTE)


def _about_itself(at: Attachment, ipv6: Address) -> Iterator[Flow]:
    mine = (in_port(at.port), eth_src(at.mac))
    itself = term(fields.ND_TLL, mac_number(at.mac))
    for address in (ipv6, link_local(at.mac)):
        told = (*ADVERTISEMENT, *mine, ip_src(address), nd_target(address), itself)
        yield _allow(_OWN_ADVERTISEMENT, told)
        yield _allow(_OWN, (*SOLICITATION, *mine, ip_src(_UNSPECIFIED), nd_target(address)))
    for kind in _GROUP_KINDS:
        listening = (IPV6, ICMPV6, term(fields.ICMPV6_TYPE, kind), *mine, ip_src(link_local(at.mac)))
        yield _allow(_OWN, listening)


def _allow(priority: int, match: tuple[Term, ...]) -> Flow:
    return flow(_FEATURE, Table.PORT_SECURITY, priority, match, (), Table.ROUTE)
