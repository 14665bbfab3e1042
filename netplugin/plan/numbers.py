"""Choice of a free number that is deterministic, spread, and slow to come back; pure.

Lowest-free would give a freed number to the next comer while its old owner is still being removed from the switch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

OFPORT_MAX = 0xFEFF  # OFPP_MAX is 0xff00 (OpenFlow 1.0 numbering, which Open vSwitch keeps on all versions)
ZONE_MAX = 0xFFFF  # conntrack zones are 16 bits (ovs-fields(7), ct_zone)
SEGMENT_MAX = 0xFFFFFF  # a VNI is 24 bits (RFC 7348 section 5)


class NoNumberLeft(Exception):
    """All numbers of the range are taken."""


def choose(seed: str, highest: int, taken: Callable[[int], bool]) -> int:
    """Return the first free number of 1..`highest`, from a place that `seed` decides.

    Raises:
        NoNumberLeft: all are taken.

    """
    start = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big") % highest
    for step in range(highest):
        number = (start + step) % highest + 1
        if not taken(number):
            return number
    raise NoNumberLeft(f"all of 1..{highest} are taken")
