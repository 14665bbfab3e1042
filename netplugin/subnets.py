"""The subnets of a network: from an IPAM driver, or (`--ipam-driver null`) from its options; pure.

Where the options say, Docker knows no subnet: the driver chooses each container's addresses at CreateEndpoint.
"""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence

from daemonkit.errors import BadRequest
from netplugin import wire
from netplugin.plan.addresses import first_usable, take, usable
from netplugin.plan.pools import overlapping
from netplugin.pools import called, parse_address, parse_network, parse_range
from records.model import Gateway, HostId, IpAddress, IpNetwork, Network, Space, Subnet, SubnetId, Use
from records.snapshot import Records
from records.writes import Insert, Update, Write

NULL_POOL = "0.0.0.0/0"  # what Docker's `null` IPAM driver gives: no addresses at all
SUBNET, RANGE, ROUTER = "moorage.subnet", "moorage.range", "moorage.router"  # of IPv6 with a 6 behind


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """A subnet as CreateNetwork names it; `chosen` where the driver itself hands out its addresses."""

    cidr: IpNetwork
    gateway: IpAddress | None
    range: IpNetwork | None = None
    chosen: bool = False


def driver_addressed(options: Mapping[str, str]) -> bool:
    """Say whether the driver chooses the containers' addresses on a network of these options."""
    return SUBNET in options or f"{SUBNET}6" in options


def pools(request: wire.CreateNetwork, options: Mapping[str, str]) -> Sequence[Pool]:
    """Return the subnets that a network is asked for with.

    Raises:
        BadRequest: none, or one that cannot be.

    """
    given = [*_given(request.ipv4_data), *_given(request.ipv6_data)]
    own = [*_own(options, 4), *_own(options, 6)]
    if given and own:
        raise BadRequest(
            f"{SUBNET} is for networks of --ipam-driver null, whose addresses the driver chooses; "
            "with an IPAM driver that has addresses the option is --subnet"
        )
    for one, other in itertools.combinations((pool.cidr for pool in given), 2):
        if one.version == other.version and one.overlaps(other):
            raise BadRequest(f"subnets {one} and {other} of one network overlap")
    if not given and not own:
        raise BadRequest(
            "a network needs a subnet, and the `null` IPAM driver gives none: use --ipam-driver moorage-net, or say "
            f"-o {SUBNET}=CIDR to have the driver choose the addresses"
        )
    return given or own


def _given(data: Sequence[wire.IPAMData] | None) -> Iterator[Pool]:
    for one in data or ():
        if one.pool in ("", NULL_POOL):
            continue
        cidr = parse_network(one.pool, "--subnet")
        gateway = parse_address(one.gateway) if one.gateway else None
        if gateway is not None and not usable(cidr, gateway):
            raise BadRequest(f"gateway {gateway} is not an address of subnet {cidr} that a machine can have")
        yield Pool(cidr, gateway)


def _own(options: Mapping[str, str], version: int) -> Iterator[Pool]:
    """Yield the subnet of an IP version that the options name, if they do."""
    subnet, within, router = (f"{key}{'6' if version == 6 else ''}" for key in (SUBNET, RANGE, ROUTER))
    if subnet not in options:
        for key in (within, router):
            if key in options:
                raise BadRequest(f"{key} needs {subnet}")
        return
    cidr = parse_network(options[subnet], subnet)
    if cidr.version != version:
        raise BadRequest(f"{subnet}={cidr} is not one of IPv{version}")
    gateway = parse_address(options[router]) if router in options else first_usable(cidr)
    if not usable(cidr, gateway):
        raise BadRequest(f"{router}={gateway} is not an address of subnet {cidr} that a machine can have")
    part = parse_range(options[within], cidr, within, subnet) if within in options else None
    yield Pool(cidr, gateway, part, chosen=True)


def link(records: Records, space: Space, network: Network, pool: Pool, host: HostId) -> list[Write]:
    """Return what gives the network its subnet: ours from RequestPool, or a new one.

    Raises:
        BadRequest: it overlaps another.

    """
    gateway = None if network.gateway is Gateway.NONE else pool.gateway
    mine = records.subnets.one(space=space.id, cidr=pool.cidr)
    if mine is not None and mine.network is None and not pool.chosen:
        return [Update(mine, dataclasses.replace(mine, network=network.id, gateway=gateway))]
    other = mine or overlapping(records, space, pool.cidr)
    if other is not None:
        holder = records.networks.get(other.network)
        name = f" of network {called(holder)}" if holder else ""
        raise BadRequest(f"subnet {pool.cidr} overlaps {other.cidr}{name} on this host")
    made = Subnet(
        id=SubnetId(uuid.uuid4()),
        space=space.id,
        cidr=pool.cidr,
        range=pool.range,
        network=network.id,
        gateway=gateway,
        managed=pool.chosen,
    )
    taken = [take(made, gateway, Use.GATEWAY, host)] if pool.chosen and gateway is not None else []
    return [Insert(made), *taken]
