"""What a flow does with a packet: actions, each with its bytes and its text."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

from controller.fields import VLAN_VID, Field
from controller.match import mac_number, written

_NICIRA = 0x2320  # vendor number of Open vSwitch's own actions
_MOVE, _LOAD, _OUTPUT_REGISTER = 6, 7, 15  # their subtypes (include/openflow/nicira-ext.h, lib/ofp-actions.c)
_OFPP_IN_PORT = 0xFFFFFFF8
_load = struct.Struct("!HHIHHIQ").pack
_move = struct.Struct("!HHIHHHHII").pack
_set = struct.Struct("!HH").pack
_output = struct.Struct("!HHIH6x").pack


class Action(NamedTuple):
    """One action, ready to be sent; `text` is `ovs-ofctl`'s."""

    wire: bytes
    text: str


@lru_cache(maxsize=1024)  # routing domains, segments and reasons come again and again
def load(value: int, to: Field, first: int = 0, bits: int | None = None) -> Action:
    """Write `value` into the bits of a field from `first` on; `bits` None: all the others.

    Raises:
        ValueError: it does not fit.

    """
    width = to.bits - first if bits is None else bits
    if value >> width or not 0 < width <= 64 or first + width > to.bits:
        raise ValueError(f"{value:#x} does not fit {width} bits from {first} on of {to.name}")
    place = first << 6 | width - 1
    return Action(
        _load(0xFFFF, 24, _NICIRA, _LOAD, place, to.nxm, value), f"load:{value:#x}->{_part(to, first, width)}"
    )


def move(source: Field, to: Field, first: int = 0) -> Action:
    """Copy a whole field into the bits of another from `first` on, or as much of it as finds room there."""
    width = min(source.bits, to.bits - first)
    wire = _move(0xFFFF, 24, _NICIRA, _MOVE, width, 0, first, source.nxm, to.nxm)
    return Action(wire, f"move:{_part(source, 0, width)}->{_part(to, first, width)}")


def _part(field: Field, first: int, width: int) -> str:
    if width == field.bits:
        return f"{field.nxm_name}[]"
    return f"{field.nxm_name}[{first}]" if width == 1 else f"{field.nxm_name}[{first}..{first + width - 1}]"


def set_field(field: Field, value: int) -> Action:
    """Write a whole field."""
    body = field.head + value.to_bytes(field.size)
    length = 4 + len(body)
    padded = length + -length % 8
    wire = _set(25, padded) + body + bytes(padded - length)
    return Action(wire, f"set_field:{written(field.form, value)}->{field.name}")


def set_mac(field: Field, mac: str) -> Action:
    """Write a MAC address."""
    return set_field(field, mac_number(mac))


def output_by(register: Field) -> Action:
    """Send out of the port whose number is in a register; nothing goes back out of the port it came in by."""
    place = register.bits - 1
    wire = struct.pack("!HHIHHIH6x", 0xFFFF, 24, _NICIRA, _OUTPUT_REGISTER, place, register.nxm, 0xFFFF)
    return Action(wire, f"output:{register.nxm_name}[]")


def output(port: int) -> Action:
    """Send out of a port; not if it is the one it came in by."""
    return Action(_output(0, 16, port, 0), f"output:{port}")


def push_vlan(vlan: int) -> tuple[Action, Action]:
    """Put a VLAN tag on."""
    present = 0x1000  # OFPVID_PRESENT
    return _PUSH_VLAN, set_field(VLAN_VID, present | vlan)


_PUSH_VLAN = Action(struct.pack("!HHH2x", 17, 8, 0x8100), "push_vlan:0x8100")
POP_VLAN = Action(struct.pack("!HH4x", 18, 8), "pop_vlan")
BACK = Action(_output(0, 16, _OFPP_IN_PORT, 0), "in_port")  # out of the port it came in by
DEC_TTL = Action(struct.pack("!HH4x", 24, 8), "dec_ttl")  # ends the packet where it reaches 0
