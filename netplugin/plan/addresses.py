"""Which address of a subnet is handed out next; pure.

A host hands out the addresses of its own blocks, from the one after the last on, so that a freed address rests and
remote hosts need one flow a block.  When its blocks are full it claims another; when none is left, any free address.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
import uuid
from collections.abc import Iterator, Sequence

from records.model import (
    Address,
    AddressId,
    Block,
    BlockId,
    Endpoint,
    HostId,
    IpAddress,
    IpNetwork,
    NetworkId,
    Subnet,
    Use,
)
from records.snapshot import Records
from records.writes import Delete, Insert, Update, Write


class PoolExhausted(Exception):
    """Every address of the subnet (or of its `--ip-range`) is taken."""


def block_prefix(subnet: IpNetwork) -> int:
    """Return the prefix length of a subnet's blocks: 64 addresses of a /16, 16 of a /24, at least 4 (256 of a /64)."""
    largest, smallest = (26, 30) if subnet.version == 4 else (120, 126)
    return max(subnet.prefixlen, min(max(largest, subnet.prefixlen + 4), smallest))


def usable(subnet: IpNetwork, ip: IpAddress) -> bool:
    """Whether a machine may have `ip`: not the network's or broadcast address (RFC 1122), nor the routers' (RFC 4291).

    The two addresses of a /31 (RFC 3021) or /127 (RFC 6164), and a single one, are usable.
    """
    if ip not in subnet:
        return False
    if subnet.num_addresses <= 2:
        return True
    if subnet.version == 4:
        return ip not in (subnet.network_address, subnet.broadcast_address)
    return ip != subnet.network_address


def taken(records: Records, subnet: Subnet, ip: IpAddress) -> Address | None:
    """Return the record that holds `ip`."""
    return records.addresses.one(subnet=subnet.id, ip=ip)


def carrier(records: Records, network: NetworkId, ip: IpAddress) -> Endpoint | None:
    """Return the endpoint of a network that has `ip`."""
    for endpoint in records.endpoints.of(network=network):
        if any(own is not None and own.ip == ip for own in (endpoint.ipv4, endpoint.ipv6)):
            return endpoint
    return None


def take(subnet: Subnet, ip: IpAddress, use: Use, host: HostId, *, asked: bool = False) -> Insert:
    """Return the write that takes `ip`; the database refuses it if somebody else was first."""
    return Insert(entry(subnet, ip, use, host, asked=asked))


def entry(subnet: Subnet, ip: IpAddress, use: Use, host: HostId, *, asked: bool = False) -> Address:
    """Return a new record that holds `ip`."""
    return Address(id=AddressId(uuid.uuid4()), subnet=subnet.id, ip=ip, use=use, host=host, asked=asked)


def taken_up(kept: Address, host: HostId, *, asked: bool) -> Update:
    """Return the write by which an address that is kept for somebody is used again."""
    return Update(kept, dataclasses.replace(kept, free=False, host=host, asked=asked))


def given_back(held: Address) -> Write:
    """Return the write that frees an address; one that is kept for somebody stays so."""
    return Delete(held) if held.sticky is None else Update(held, dataclasses.replace(held, free=True))


def first_usable(cidr: IpNetwork) -> IpAddress:
    """Return the lowest address that a machine may have."""
    return next(_addresses(cidr, cidr))


def first_free(records: Records, subnet: Subnet) -> IpAddress:
    """Return the lowest usable free address: where users expect a gateway.

    Raises:
        PoolExhausted: there is none.

    """
    for ip in _addresses(subnet.cidr, subnet.cidr):
        if taken(records, subnet, ip) is None:
            return ip
    raise PoolExhausted


def next_free(records: Records, subnet: Subnet, host: HostId) -> tuple[IpAddress, list[Write]]:
    """Return the address that `host` hands out next, and the writes that keep its blocks in step.

    Raises:
        PoolExhausted: there is none.

    """
    mine = sorted((b for b in records.blocks.of(subnet=subnet.id) if b.host == host), key=lambda b: int(b.cidr[0]))
    for block, ip in _round(subnet, mine):
        if taken(records, subnet, ip) is None:
            return ip, _moved(mine, block, ip)
    for cidr in _block_cidrs(subnet):
        if records.blocks.one(subnet=subnet.id, cidr=cidr) is None:
            for ip in _addresses(cidr, subnet.cidr, subnet.range):
                if taken(records, subnet, ip) is None:
                    new = Block(id=BlockId(uuid.uuid4()), subnet=subnet.id, cidr=cidr, host=host, last=ip)
                    return ip, [*_moved(mine, None, ip), Insert(new)]
    for ip in _addresses(subnet.range or subnet.cidr, subnet.cidr):
        if taken(records, subnet, ip) is None:
            return ip, []
    raise PoolExhausted


def _round(subnet: Subnet, blocks: Sequence[Block]) -> Iterator[tuple[Block, IpAddress]]:
    """Yield every usable address of the host's blocks once, from the one after the last handed out."""
    current = next((i for i, b in enumerate(blocks) if b.last is not None), 0)
    order = [*blocks[current:], *blocks[:current]]
    late: list[tuple[Block, IpAddress]] = []
    for position, block in enumerate(order):
        for ip in _addresses(block.cidr, subnet.cidr, subnet.range):
            if position == 0 and block.last is not None and int(ip) <= int(block.last):
                late.append((block, ip))
            else:
                yield block, ip
    yield from late


def _moved(blocks: Sequence[Block], to: Block | None, ip: IpAddress) -> list[Write]:
    """Return the writes after which only `to` has a last address, and that is `ip`."""
    writes: list[Write] = []
    for block in blocks:
        last = ip if to is not None and block.id == to.id else None
        if block.last != last:
            writes.append(Update(block, dataclasses.replace(block, last=last)))
    return writes


def _block_cidrs(subnet: Subnet) -> Iterator[IpNetwork]:
    """Yield the blocks that hold addresses of the subnet's range, in order."""
    within, prefix = subnet.range or subnet.cidr, block_prefix(subnet.cidr)
    if within.prefixlen >= prefix:
        yield within.supernet(new_prefix=prefix)
    else:
        yield from within.subnets(new_prefix=prefix)


def _addresses(cidr: IpNetwork, subnet: IpNetwork, within: IpNetwork | None = None) -> Iterator[IpAddress]:
    """Yield the usable addresses of `cidr` that lie in `within` (None: anywhere)."""
    make = ipaddress.IPv4Address if cidr.version == 4 else ipaddress.IPv6Address
    for number in itertools.takewhile(lambda n: n <= int(cidr[-1]), itertools.count(int(cidr[0]))):
        ip = make(number)
        if usable(subnet, ip) and (within is None or ip in within):
            yield ip
