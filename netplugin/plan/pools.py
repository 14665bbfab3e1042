"""Which subnet a network gets when the user names none, and which subnets exclude each other; pure."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator

from records.model import IpNetwork, Space, Subnet
from records.snapshot import Records

# What `docker network create` without --subnet takes from: private (RFC 1918), apart from Docker's own default pools
# (172.17/16 to 172.31/16 and 192.168/16), so that both can be used on one host.
DEFAULT_POOLS = ipaddress.IPv4Network("10.192.0.0/10")
DEFAULT_PREFIX = 20
DEFAULT_PREFIX_V6 = 64


def overlapping(records: Records, space: Space, cidr: IpNetwork) -> Subnet | None:
    """Return a subnet of the space that shares addresses with `cidr`."""
    for subnet in records.subnets.of(space=space.id):
        if subnet.cidr.version == cidr.version and subnet.cidr.overlaps(cidr):
            return subnet
    return None


def free_pool(records: Records, space: Space, *, v6: bool) -> IpNetwork | None:
    """Return the first default pool that no subnet of the space overlaps, or None."""
    candidates: Iterator[IpNetwork] = (
        unique_local(space.name) if v6 else DEFAULT_POOLS.subnets(new_prefix=DEFAULT_PREFIX)
    )
    return next((cidr for cidr in candidates if overlapping(records, space, cidr) is None), None)


def unique_local(space: str) -> Iterator[ipaddress.IPv6Network]:
    """Yield the /64s of the space's own unique local /48 (RFC 4193, its global id a digest of the name)."""
    prefix = b"\xfd" + hashlib.blake2b(space.encode(), digest_size=5).digest() + bytes(10)
    yield from ipaddress.IPv6Network((prefix, 48)).subnets(new_prefix=DEFAULT_PREFIX_V6)
