"""A meter as a value, and its OpenFlow 1.3 messages: it drops what an endpoint receives or sends beyond its rate.

The userspace datapath holds packets of 64 kB against it, and TCP answers each drop with a pause of at least 0.2 s
(Linux's TCP_RTO_MIN): a bucket that runs over meanwhile costs throughput.  Measured at 5, 20 and 100 Mbit/s: buckets of
0.1 s let TCP have half of the rate, 0.25 s 98 to 103 %, 1 s 116 %.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

BURST = 0.25  # seconds of the rate
BURST_MIN = 600  # kbit: one packet of 64 kB is 525

_VERSION, _METER_MOD, _MULTIPART_REQUEST = 4, 29, 18
_METER_CONFIG = 10  # type of the multipart
_KBPS, _BURST = 0x1, 0x4  # flags
_DROP = 1  # type of the band
_ALL = 0xFFFFFFFF

_mod = struct.Struct("!BBHIHHI").pack
_band = struct.Struct("!HHII4x")
_config = struct.Struct("!HHI")

# Our numbers: above those that people and other applications choose, below the 200,000 that Linux's datapath has.
_SEND, _RECEIVE, _END = 0x10000, 0x20000, 0x30000


class Command(IntEnum):
    """What a meter-mod does."""

    ADD = 0
    MODIFY = 1
    DELETE = 2


class Meter(NamedTuple):
    """Lets `rate` kbit/s pass, and `burst` kbit at once after a rest."""

    number: int
    rate: int
    burst: int


def receiving(port: int) -> int:
    """Return the number of the meter of what goes to the endpoint at that port."""
    return _RECEIVE | port


def sending(port: int) -> int:
    """Return the number of the meter of what comes from the endpoint at that port."""
    return _SEND | port


def port_of(number: int) -> int:
    """Return the port of the endpoint that a meter of ours belongs to."""
    return number & 0xFFFF


def ours(number: int) -> bool:
    """Say whether a number is one that an endpoint's meter has."""
    return _SEND <= number < _END


def meter(number: int, rate: int) -> Meter:
    """Return the meter of that rate (kbit/s)."""
    return Meter(number, rate, max(BURST_MIN, int(rate * BURST)))


def modification(xid: int, command: Command, of: Meter) -> bytes:
    """Return the message that adds, changes or deletes a meter."""
    band = b"" if command is Command.DELETE else _band.pack(_DROP, _band.size, of.rate, of.burst)
    return _mod(_VERSION, _METER_MOD, 16 + len(band), xid, command, _KBPS | _BURST, of.number) + band


def request(xid: int) -> bytes:
    """Ask for all meters."""
    return struct.pack("!BBHIHH4xI4x", _VERSION, _MULTIPART_REQUEST, 24, xid, _METER_CONFIG, 0, _ALL)


def parse(entries: bytes) -> Iterator[Meter]:
    """Yield the meters of one reply's body; one of another make than ours has rate 0."""
    at = 0
    while at < len(entries):
        length, flags, number = _config.unpack_from(entries, at)
        rate = burst = 0
        if flags == _KBPS | _BURST and length == _config.size + _band.size:
            kind, _, *limits = _band.unpack_from(entries, at + _config.size)
            rate, burst = limits if kind == _DROP else (0, 0)
        yield Meter(number, rate, burst)
        at += length
