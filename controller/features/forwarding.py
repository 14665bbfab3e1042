"""By segment and address: the port a packet leaves by."""

from __future__ import annotations

from collections.abc import Iterator

from controller import fields
from controller.actions import load, output_by, set_mac
from controller.features.drops import drop
from controller.flow import Flow, flow
from controller.match import ip, ip_dst
from controller.match import segment as in_segment
from controller.pattern import Pattern
from controller.pipeline import Feature, Reason, Table
from controller.view import Attachment, Segment

_FEATURE, _TABLE = Feature.FORWARDING, Table.FORWARD
_TO = {
    version: Pattern(_FEATURE, _TABLE, 200, (ip(version), to, fields.METADATA), goto=Table.OUT)
    for version, to in ((4, fields.IPV4_DST), (6, fields.IPV6_DST))
}


def endpoint(at: Attachment) -> Iterator[Flow]:
    """To an endpoint, under its MAC address: a packet that was routed here carries the gateway's."""
    actions = (set_mac(fields.ETH_DST, at.mac), load(at.port, fields.REG3))
    for address in (at.ipv4, at.ipv6):
        if address is not None:
            values = (address.packed, at.segment.to_bytes(8))
            yield _TO[address.version].flow(*values, actions=actions, meter=at.receive_meter)


def segment(of: Segment) -> Iterator[Flow]:
    """To an address of the network that nobody has."""
    for prefix, _ in of.subnets:
        match = (ip(prefix.version), in_segment(of.key), ip_dst(prefix))
        yield drop(_FEATURE, _TABLE, 100, match, Reason.UNKNOWN_DESTINATION)


def fixed() -> Iterator[Flow]:
    """To anywhere else; and the way out."""
    yield drop(_FEATURE, _TABLE, 0, (), Reason.OTHER_NETWORK)
    yield flow(_FEATURE, Table.OUT, 50, (), (output_by(fields.REG3),))
