"""The fields of packets and registers that our flows match, set and move: one truth for text, bytes and bounds.

Headers are those of `ovs-fields(7)`: OXM where a flow matches or `set_field` writes, NXM where Nicira's actions (load,
move, output to a register) point.  The order of `FIELDS` is the one in which Open vSwitch writes a match
(lib/nx-match.c, nx_put_raw), so that what we send and what it shows are the same bytes.
"""

from __future__ import annotations

import dataclasses
from enum import Enum

OXM, NXM, NXM_1, OVS = 0x8000, 0x0000, 0x0001, 0x1000  # classes of headers


class Form(Enum):
    """How a value is written in text."""

    NUMBER = "number"
    HEX = "hex"
    MAC = "mac"
    IPV4 = "ipv4"
    IPV6 = "ipv6"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field.  `needs` says which values other fields of the same match must have for it to exist in a packet."""

    name: str  # in matches and set_field
    oxm: int  # header without mask
    size: int  # bytes
    form: Form = Form.NUMBER
    nxm: int = 0  # header in Nicira's actions
    nxm_name: str = ""  # in their text
    needs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    protocol: bool = False  # others need its value
    bits: int = dataclasses.field(init=False)  # width
    full: int = dataclasses.field(init=False)  # the mask of all bits
    head: bytes = dataclasses.field(init=False)  # of a term without mask
    masked: bytes = dataclasses.field(init=False)  # of a term with mask

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", self.size * 8)
        object.__setattr__(self, "full", (1 << self.size * 8) - 1)
        object.__setattr__(self, "head", self.oxm.to_bytes(4))
        # Bit 8 of a header says that a mask follows; the length counts both.
        object.__setattr__(self, "masked", (self.oxm + 0x100 + self.size).to_bytes(4))


def _header(kind: int, number: int, size: int) -> int:
    return kind << 16 | number << 9 | size


def _register(number: int) -> Field:
    header = _header(NXM_1, number, 4)
    return Field(f"reg{number}", header, 4, Form.HEX, header, f"NXM_NX_REG{number}")


_IPV4 = ("eth_type", (0x0800,))
_IPV6 = ("eth_type", (0x86DD,))
_ANY_IP = ("eth_type", (0x0800, 0x86DD))
_ARP = ("eth_type", (0x0806,))
_ICMP6 = (_IPV6, ("ip_proto", (58,)))
_ND = (*_ICMP6, ("icmpv6_type", (135, 136)))

IN_PORT = Field("in_port", _header(OXM, 0, 4), 4)
ETH_DST = Field("eth_dst", _header(OXM, 3, 6), 6, Form.MAC, _header(NXM, 1, 6), "NXM_OF_ETH_DST")
ETH_SRC = Field("eth_src", _header(OXM, 4, 6), 6, Form.MAC, _header(NXM, 2, 6), "NXM_OF_ETH_SRC")
ETH_TYPE = Field("eth_type", _header(OXM, 5, 2), 2, Form.HEX, protocol=True)
VLAN_VID = Field("vlan_vid", _header(OXM, 6, 2), 2, Form.HEX)
IPV4_SRC = Field("nw_src", _header(OXM, 11, 4), 4, Form.IPV4, needs=(_IPV4,))
IPV4_DST = Field("nw_dst", _header(OXM, 12, 4), 4, Form.IPV4, needs=(_IPV4,))
IPV6_SRC = Field("ipv6_src", _header(OXM, 26, 16), 16, Form.IPV6, _header(NXM_1, 19, 16), "NXM_NX_IPV6_SRC", (_IPV6,))
IPV6_DST = Field("ipv6_dst", _header(OXM, 27, 16), 16, Form.IPV6, _header(NXM_1, 20, 16), "NXM_NX_IPV6_DST", (_IPV6,))
IP_PROTO = Field("ip_proto", _header(OXM, 10, 1), 1, needs=(_ANY_IP,), protocol=True)
UDP_SRC = Field("udp_src", _header(OXM, 15, 2), 2, needs=(_ANY_IP, ("ip_proto", (17,))))
ICMPV6_TYPE = Field(
    "icmpv6_type",
    _header(OXM, 29, 1),
    1,
    Form.NUMBER,
    _header(NXM_1, 21, 1),
    "NXM_NX_ICMPV6_TYPE",
    _ICMP6,
    protocol=True,
)
ICMPV6_CODE = Field(
    "icmpv6_code", _header(OXM, 30, 1), 1, Form.NUMBER, _header(NXM_1, 22, 1), "NXM_NX_ICMPV6_CODE", _ICMP6
)
ND_TARGET = Field("nd_target", _header(OXM, 31, 16), 16, Form.IPV6, _header(NXM_1, 23, 16), "NXM_NX_ND_TARGET", _ND)
ND_TLL = Field("nd_tll", _header(OXM, 33, 6), 6, Form.MAC, _header(NXM_1, 25, 6), "NXM_NX_ND_TLL", _ND)
ARP_OP = Field("arp_op", _header(OXM, 21, 2), 2, Form.NUMBER, _header(NXM, 15, 2), "NXM_OF_ARP_OP", (_ARP,))
ARP_SPA = Field("arp_spa", _header(OXM, 22, 4), 4, Form.IPV4, _header(NXM, 16, 4), "NXM_OF_ARP_SPA", (_ARP,))
ARP_TPA = Field("arp_tpa", _header(OXM, 23, 4), 4, Form.IPV4, _header(NXM, 17, 4), "NXM_OF_ARP_TPA", (_ARP,))
ARP_SHA = Field("arp_sha", _header(OXM, 24, 6), 6, Form.MAC, _header(NXM_1, 17, 6), "NXM_NX_ARP_SHA", (_ARP,))
ARP_THA = Field("arp_tha", _header(OXM, 25, 6), 6, Form.MAC, _header(NXM_1, 18, 6), "NXM_NX_ARP_THA", (_ARP,))
REG0, REG3, REG4, REG8, REG9 = (_register(number) for number in (0, 3, 4, 8, 9))
METADATA = Field("metadata", _header(OXM, 2, 8), 8, Form.HEX, _header(OXM, 2, 8), "OXM_OF_METADATA")

# Of neighbour discovery, written only (Open vSwitch >= 2.11): the flags, and the type of the first option.
ND_RESERVED = Field("nd_reserved", _header(OVS, 1, 4), 4, Form.NUMBER, needs=_ND)
ND_OPTIONS_TYPE = Field("nd_options_type", _header(OVS, 2, 1), 1, Form.NUMBER, needs=_ND)

FIELDS: tuple[Field, ...] = (
    IN_PORT,
    ETH_DST,
    ETH_SRC,
    ETH_TYPE,
    VLAN_VID,
    IPV4_SRC,
    IPV4_DST,
    IPV6_SRC,
    IPV6_DST,
    IP_PROTO,
    UDP_SRC,
    ICMPV6_TYPE,
    ICMPV6_CODE,
    ND_TARGET,
    ND_TLL,
    ARP_OP,
    ARP_SPA,
    ARP_TPA,
    ARP_SHA,
    ARP_THA,
    REG0,
    REG3,
    REG4,
    REG8,
    REG9,
    METADATA,
)
WRITTEN: tuple[Field, ...] = (ND_RESERVED, ND_OPTIONS_TYPE)
