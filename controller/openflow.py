"""The few OpenFlow 1.3 messages that we write and read ourselves, as bytes.

The framework's objects take 100 us a flow, these 3 (the framework keeps the session).  Bundles are the extension of
ONF for 1.3 (EXT-230), as Open vSwitch speaks it.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from controller.flow import HEAD, Flow, Identity

_VERSION = 4
_EXPERIMENTER, _MULTIPART_REQUEST, _BARRIER_REQUEST = 4, 18, 20
_SET_CONFIG, _SET_ASYNC, _FLOW_MOD, _PACKET_OUT = 9, 28, 14, 13
_OFPP_TABLE, _NO_BUFFER = 0xFFFFFFF9, 0xFFFFFFFF
_ONF, _BUNDLE_CONTROL, _BUNDLE_ADD = 0x4F4E4600, 2300, 2301
_OPEN_REQUEST, _COMMIT_REQUEST = 0, 4
_ATOMIC_ORDERED = 3
_DELETE_STRICT = 4
_ANY = 0xFFFFFFFF
_ALL_TABLES = 0xFF

_header = struct.Struct("!BBHI").pack
_control = struct.Struct("!BBHIIIIHH").pack
_add = struct.Struct("!BBHIIIIHHBBHI").pack  # a bundle's envelope and the header of the flow-mod in it
_delete_head = struct.Struct("!QQBBHHHIIIH2x").pack
_entry = struct.Struct("!HBxIIHHHH4xQQQ").unpack_from
_length = struct.Struct("!H").unpack_from  # of a match, after its type
_key = struct.Struct("!BH").pack
_ENTRY_HEAD = 48  # bytes of a flow's statistics before its match


class Seen(NamedTuple):
    """A flow as the switch shows it."""

    identity: Identity
    content: bytes  # match and instructions
    packets: int


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """The switch's error for one message: numbers of the specification."""

    kind: int
    code: int

    @property
    def text(self) -> str:
        """For people: with the name where it is one of those that a wrong flow gets."""
        return f"{_KINDS.get(self.kind, 'error')} (type {self.kind}, code {self.code})"


_KINDS = {
    1: "bad request",
    2: "bad action",
    3: "bad instruction",
    4: "bad match",
    5: "flow-mod failed",
    12: "meter-mod failed",
    17: "bundle failed",
    0xFFFF: "error of an extension",
}


def asynchronous(xid: int) -> bytes:
    """Return the messages that make a management connection tell about ports (it starts with all of that off).

    Of the rest we want nothing: no packet comes to the controller, no flow of ours expires.
    """
    everything = 0x7
    set_config = _header(_VERSION, _SET_CONFIG, 12, xid) + struct.pack("!HH", 0, 0)
    masks = struct.pack("!6I", 0, 0, everything, everything, 0, 0)
    return set_config + _header(_VERSION, _SET_ASYNC, 32, xid) + masks


def ports_request(xid: int) -> bytes:
    """Ask for all ports."""
    return _header(_VERSION, _MULTIPART_REQUEST, 16, xid) + struct.pack("!HH4x", 13, 0)


def barrier(xid: int) -> bytes:
    """Ask for a reply once all before it is done."""
    return _header(_VERSION, _BARRIER_REQUEST, 8, xid)


def packet_out(xid: int, port: int, frame: bytes) -> bytes:
    """Return the message that has the switch treat a frame as if it had come in by a port."""
    to_table = struct.pack("!HHIH6x", 0, 16, _OFPP_TABLE, 0)
    body = struct.pack("!IIH6x", _NO_BUFFER, port, len(to_table)) + to_table + frame
    return _header(_VERSION, _PACKET_OUT, 8 + len(body), xid) + body


def flows_request(xid: int, cookie: int, mask: int, table: int = _ALL_TABLES) -> bytes:
    """Ask for the flows whose cookie has these bits."""
    body = struct.pack("!B3xII4xQQHH4x", table, _ANY, _ANY, cookie, mask, 1, 4)
    return _header(_VERSION, _MULTIPART_REQUEST, 16 + len(body), xid) + struct.pack("!HH4x", 1, 0) + body


def parse_flows(entries: bytes) -> Iterator[Seen]:
    """Yield the flows of one reply's body."""
    at, end = 0, len(entries)
    while at < end:
        length, table, _, _, priority, _, _, _, cookie, packets, _ = _entry(entries, at)
        yield Seen((cookie, table, priority), entries[at + _ENTRY_HEAD : at + length], packets)
        at += length


def content(flow: Flow) -> bytes:
    """Return the flow's match and instructions as the switch shows them."""
    return flow.body[HEAD:]


def deletion(identity: Identity, shown: bytes) -> bytes:
    """Return the body of a flow-mod that deletes the flow of that identity and content, and no other.

    Not even one of the same match and priority that has replaced it: the cookie must be the same too.
    """
    cookie, table, priority = identity
    length = _length(shown, 2)[0]
    head = _delete_head(cookie, (1 << 64) - 1, table, _DELETE_STRICT, 0, 0, priority, _ANY, _ANY, _ANY, 0)
    return head + shown[: length + -length % 8]


def place(identity: Identity, shown: bytes) -> bytes:
    """Return table, priority and match of a flow that the switch shows, as `Flow.place`."""
    return _key(identity[1], identity[2]) + shown[4 : _length(shown, 2)[0]]


def bundle(number: int, bodies: Sequence[bytes], first: int) -> Iterator[bytes]:
    """Yield an ordered atomic bundle of flow-mods; the one at place n carries xid `first` + n, the commit the next."""
    last = first + len(bodies)
    yield _control(_VERSION, _EXPERIMENTER, 24, last, _ONF, _BUNDLE_CONTROL, number, _OPEN_REQUEST, _ATOMIC_ORDERED)
    for xid, body in enumerate(bodies, first):
        length = 8 + len(body)
        yield _add(
            _VERSION, _EXPERIMENTER, 24 + length, xid, _ONF, _BUNDLE_ADD, number, 0, _ATOMIC_ORDERED,
            _VERSION, _FLOW_MOD, length, xid,
        )  # fmt: skip
        yield body
    yield _control(_VERSION, _EXPERIMENTER, 24, last, _ONF, _BUNDLE_CONTROL, number, _COMMIT_REQUEST, _ATOMIC_ORDERED)
