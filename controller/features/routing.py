"""From network to network within a routing domain, on the sender's host, and between containers and their gateway."""

from __future__ import annotations

from collections.abc import Iterator

from controller import fields
from controller.actions import DEC_TTL, load, set_mac
from controller.features.drops import drop
from controller.flow import Flow, flow
from controller.match import Term, eth_dst, ip, ip_dst, term, vrf
from controller.match import segment as in_segment
from controller.pipeline import FROM_GATEWAY, Feature, Reason, Table
from controller.view import Domain, Segment
from records.model import GATEWAY_MAC

_FEATURE, _TABLE = Feature.ROUTING, Table.ROUTE
_MULTICAST, _HOST, _NONE, _GATEWAY, _ROUTED, _OUTSIDE, _MISS = 200, 150, 130, 110, 100, 50, 0  # priorities

_GROUP_BIT = 0x01 << 40  # of a destination MAC: broadcast or multicast
_FROM_HOST = term(fields.REG0, FROM_GATEWAY, FROM_GATEWAY)
_TO_GATEWAY = eth_dst(GATEWAY_MAC)
_FROM_ROUTER = set_mac(fields.ETH_SRC, GATEWAY_MAC)


def segment(of: Segment) -> Iterator[Flow]:
    """The ways into and out of a network."""
    behind = {prefix.version for prefix, gateway in of.subnets if gateway is not None}
    into = load(of.key, fields.METADATA)
    for domain in of.domains:
        for prefix, gateway in of.subnets:
            there = (ip(prefix.version), vrf(domain.zone), ip_dst(prefix))
            if gateway is not None:
                # The host's own routing has counted the hop already.
                yield flow(_FEATURE, _TABLE, _HOST, (*there, _FROM_HOST), (into,), Table.FORWARD)
                yield flow(
                    _FEATURE, _TABLE, _ROUTED, (*there, _TO_GATEWAY), (DEC_TTL, _FROM_ROUTER, into), Table.FORWARD
                )
                itself = (ip(gateway.version), vrf(domain.zone), ip_dst(gateway), _TO_GATEWAY)
                yield _to_host(_GATEWAY, domain, itself)
        for version in sorted(behind):
            yield _to_host(_OUTSIDE, domain, (ip(version), vrf(domain.zone), in_segment(of.key), _TO_GATEWAY))
    for missing in sorted({4, 6} - behind):
        match = (ip(missing), in_segment(of.key), _TO_GATEWAY)
        yield drop(_FEATURE, _TABLE, _NONE, match, Reason.NO_GATEWAY)


def fixed() -> Iterator[Flow]:
    """Groups are not routed; what is not for a gateway stays in its segment."""
    group = term(fields.ETH_DST, _GROUP_BIT, _GROUP_BIT)
    yield flow(_FEATURE, _TABLE, _MULTICAST, (group,), (), Table.FLOOD)
    yield drop(_FEATURE, Table.FLOOD, 0, (), Reason.MULTICAST)
    yield drop(_FEATURE, _TABLE, _GATEWAY - 100, (_TO_GATEWAY,), Reason.NO_GATEWAY)
    yield flow(_FEATURE, _TABLE, _MISS, (), (), Table.FORWARD)


def _to_host(priority: int, domain: Domain, match: tuple[Term, ...]) -> Flow:
    return flow(_FEATURE, _TABLE, priority, match, (load(domain.port, fields.REG3),), Table.OUT)
