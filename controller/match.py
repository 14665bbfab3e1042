"""What a flow matches: terms, one a field, each knowing its bytes and its text."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from controller import fields
from controller.fields import FIELDS, Field, Form

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network

_BY_HEADER = {field.oxm: field for field in FIELDS}
_SHAPE = {field: rank << 32 for rank, field in enumerate(FIELDS)}

# Words of `ovs-ofctl` for protocols, by Ethernet type and IP protocol.
_WORDS = {
    (0x0800, None): "ip",
    (0x0806, None): "arp",
    (0x86DD, None): "ipv6",
    (0x86DD, 58): "icmp6",
    (0x0800, 17): "udp",
    (0x86DD, 17): "udp6",
}


class Term(NamedTuple):
    """A field has a value, in the bits of `mask` (None: all)."""

    wire: bytes
    shape: int  # equal for terms that may stand for each other
    field: Field
    value: int
    mask: int | None

    @property
    def text(self) -> str:
        """As `ovs-ofctl` reads it."""
        value = written(self.field.form, self.value)
        return f"{self.field.name}={value}" + ("" if self.mask is None else f"/{self._mask_text(self.mask)}")

    def _mask_text(self, mask: int) -> str:
        if self.field.form in {Form.IPV4, Form.IPV6}:
            return str(mask.bit_count())
        return written(self.field.form, mask)


def term(field: Field, value: int, mask: int | None = None) -> Term:
    """Return the term; a mask of all bits is none.

    Raises:
        ValueError: the value does not fit the field, or has bits outside the mask.

    """
    if mask == field.full:
        mask = None
    if value & ~(field.full if mask is None else mask):
        raise ValueError(f"{value:#x} does not fit {field.name} (mask {mask})")
    size = field.size
    if mask is None:
        wire = field.head + value.to_bytes(size)
    else:
        wire = field.masked + value.to_bytes(size) + mask.to_bytes(size)
    return Term(wire, _SHAPE[field] | value if field.protocol else _SHAPE[field], field, value, mask)


def parsed(wire: bytes) -> tuple[Term, ...]:
    """Return the terms of a match's bytes."""
    found, at = list[Term](), 0
    while at < len(wire):
        header = int.from_bytes(wire[at : at + 4])
        size = header & 0xFF
        masked = header & 0x100
        field = _BY_HEADER[header - 0x100 - size // 2 if masked else header]
        value, mask = wire[at + 4 : at + 4 + field.size], wire[at + 4 + field.size : at + 4 + size]
        found.append(term(field, int.from_bytes(value), int.from_bytes(mask) if masked else None))
        at += 4 + size
    return tuple(found)


@lru_cache(maxsize=64)  # an endpoint's own comes several times in a row, as does its port
def mac_number(mac: str) -> int:
    """Return a MAC address (`02:42:0a:01:00:02`) as a number."""
    return int(mac.replace(":", ""), 16)


@lru_cache(maxsize=64)
def mac_bytes(mac: str) -> bytes:
    """Return a MAC address as it stands in a packet."""
    return mac_number(mac).to_bytes(6)


def link_local(mac: str) -> Address:
    """Return the address that an interface makes itself of its MAC address (EUI-64, RFC 4291 appendix A)."""
    number = mac_number(mac)
    identifier = (number >> 24 ^ 0x020000) << 40 | 0xFFFE << 24 | number & 0xFFFFFF
    return ipaddress.IPv6Address(0xFE80 << 112 | identifier)


@lru_cache(maxsize=64)
def in_port(number: int) -> Term:
    """Came in by that port."""
    return term(fields.IN_PORT, number)


def eth_src(mac: str) -> Term:
    """Sent from that MAC address."""
    return term(fields.ETH_SRC, mac_number(mac))


def eth_dst(mac: str) -> Term:
    """Sent to that MAC address."""
    return term(fields.ETH_DST, mac_number(mac))


def ip_src(address: Address) -> Term:
    """Sent from that IP address."""
    return term(fields.IPV4_SRC if address.version == 4 else fields.IPV6_SRC, int(address))


def ip_dst(where: Address | Prefix) -> Term:
    """Sent to that IP address, or into that network."""
    return _addressed(fields.IPV4_DST if where.version == 4 else fields.IPV6_DST, where)


def arp_spa(address: Address) -> Term:
    """ARP: the sender says this is its IP address."""
    return term(fields.ARP_SPA, int(address))


def arp_sha(mac: str) -> Term:
    """ARP: the sender says this is its MAC address."""
    return term(fields.ARP_SHA, mac_number(mac))


def arp_tpa(where: Address | Prefix) -> Term:
    """ARP: about that IP address."""
    return _addressed(fields.ARP_TPA, where)


def nd_target(address: Address) -> Term:
    """Neighbour discovery: about that IP address."""
    return term(fields.ND_TARGET, int(address))


@lru_cache(maxsize=256)
def vrf(zone: int) -> Term:
    """In that routing domain."""
    return term(fields.REG4, zone)


@lru_cache(maxsize=256)
def segment(key: int) -> Term:
    """In that segment."""
    return term(fields.METADATA, key)


def _addressed(field: Field, where: Address | Prefix) -> Term:
    if isinstance(where, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return term(field, int(where.network_address), int(where.netmask))
    return term(field, int(where))


IPV4 = term(fields.ETH_TYPE, 0x0800)
ARP = term(fields.ETH_TYPE, 0x0806)
IPV6 = term(fields.ETH_TYPE, 0x86DD)
UDP = term(fields.IP_PROTO, 17)
ICMPV6 = term(fields.IP_PROTO, 58)
SOLICITATION = (IPV6, ICMPV6, term(fields.ICMPV6_TYPE, 135))
ADVERTISEMENT = (IPV6, ICMPV6, term(fields.ICMPV6_TYPE, 136))
ARP_REQUEST = (ARP, term(fields.ARP_OP, 1))


def ip(version: int) -> Term:
    """IPv4 or IPv6."""
    return IPV4 if version == 4 else IPV6


def ordered(terms: Sequence[Term]) -> tuple[Term, ...]:
    """Return the terms in the order of the wire.

    Raises:
        ValueError: a field stands twice, or without the protocol it belongs to.

    """
    places = _order(tuple([term[1] for term in terms]))
    return tuple(terms) if places is None else tuple([terms[place] for place in places])


@cache  # bounded: there are as many shapes as kinds of flows
def _order(shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return which term comes first, second, ...; None where they are in order already."""
    places = tuple(sorted(range(len(shapes)), key=shapes.__getitem__))
    named = [FIELDS[shape >> 32] for shape in shapes]
    if len(set(named)) < len(named):
        raise ValueError(f"a field stands twice: {', '.join(field.name for field in named)}")
    values = {FIELDS[shape >> 32].name: shape & 0xFFFFFFFF for shape in shapes}
    for field in named:
        for other, allowed in field.needs:
            if values.get(other) not in allowed:
                raise ValueError(f"{field.name} needs {other} to be one of {allowed}")
    return None if places == tuple(range(len(shapes))) else places


def written(form: Form, value: int) -> str:
    """Return a field's value as `ovs-ofctl` reads it."""
    match form:
        case Form.MAC:
            return value.to_bytes(6).hex(":")
        case Form.IPV4:
            return str(ipaddress.IPv4Address(value))
        case Form.IPV6:
            return str(ipaddress.IPv6Address(value))
        case Form.HEX:
            return hex(value)
        case Form.NUMBER:
            return str(value)


def match_text(terms: Sequence[Term]) -> str:
    """Return a match as `ovs-ofctl` reads it: the protocol's word first."""
    values = {t.field: t.value for t in terms}
    kind, proto = values.get(fields.ETH_TYPE), values.get(fields.IP_PROTO)
    if kind is None:
        return ",".join(t.text for t in terms)
    rest = [t.text for t in terms if t.field not in {fields.ETH_TYPE, fields.IP_PROTO}]
    return ",".join([_WORDS[kind, proto], *rest])
