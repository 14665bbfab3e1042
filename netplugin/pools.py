"""The IPAM driver's calls: pools and addresses in the records; decides and commits, knows neither HTTP nor switch."""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid

from daemonkit.errors import BadRequest, Exhausted, NotFound
from netplugin import wire
from netplugin.host import space_of
from netplugin.options import NAME, refuse_unknown
from netplugin.plan import addresses, pools
from records.hosts import own_host
from records.model import IpAddress, IpNetwork, Network, Space, Subnet, SubnetId, Use
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Delete, Insert, Update, Write

LOCAL, GLOBAL = "moorage-local", "moorage-global"  # our address spaces, as Docker is told them
# What is no machine's: this host, loopback, multicast, all hosts (RFC 6890); IETF's own, multicast (RFC 4291).
NOBODYS = tuple(
    ipaddress.ip_network(cidr)
    for cidr in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/8", "ff00::/8")
)
LINK_LOCAL = ipaddress.ip_network("fe80::/10")


class Pools:
    """Subnets and addresses as Docker asks for them.  Every method is one commit, durable before it returns."""

    def __init__(self, store: Store, host: str) -> None:
        self._store = store
        self._host = host

    def request_pool(self, request: wire.RequestPool) -> Subnet:
        """Take a subnet; one of our choice when the request names none.

        Raises:
            BadRequest: malformed, or it overlaps a subnet that is taken.
            Exhausted: no default pool is left.

        """
        if request.address_space not in (LOCAL, GLOBAL, ""):
            raise BadRequest(f"address space {request.address_space!r} is not ours: expected {LOCAL} or {GLOBAL}")
        refuse_unknown(request.options or {}, frozenset())
        wanted = parse_network(request.pool, "--subnet") if request.pool else None
        within = parse_range(request.sub_pool, wanted)
        if wanted is not None and (wanted.version == 6) != request.v6:
            raise BadRequest(f"--subnet {wanted} was asked for as IPv{6 if request.v6 else 4}")
        return decide(self._store, lambda records: self._take_pool(records, wanted, within, v6=request.v6))

    def _take_pool(
        self, records: Records, wanted: IpNetwork | None, within: IpNetwork | None, *, v6: bool
    ) -> tuple[list[Write], Subnet]:
        space, writes = space_of(records, self._host)
        cidr = wanted or pools.free_pool(records, space, v6=v6)
        if cidr is None:
            raise Exhausted("no default pool is left for this network: name one with --subnet")
        if (other := pools.overlapping(records, space, cidr)) is not None:
            raise BadRequest(_overlap(records, cidr, other))
        subnet = Subnet(id=SubnetId(uuid.uuid4()), space=space.id, cidr=cidr, range=within)
        return [*(writes or [grown(space)]), Insert(subnet)], subnet

    def release_pool(self, pool_id: str) -> None:
        """Give the subnet back, with every address of it; unknown ones are gone already."""

        def decision(records: Records) -> tuple[list[Write], None]:
            subnet = _find(records, pool_id)
            return ([] if subnet is None else forget_subnet(records, subnet)), None

        decide(self._store, decision)

    def request_address(self, request: wire.RequestAddress) -> tuple[Subnet, IpAddress]:
        """Take the address asked for, or the next free one.

        Raises:
            NotFound: no such pool.
            BadRequest: outside the subnet, or taken.
            Exhausted: no address is left.

        """
        wanted = parse_address(request.address) if request.address else None
        use = Use.ENDPOINT
        if (request.options or {}).get(wire.REQUEST_ADDRESS_TYPE) == wire.GATEWAY_REQUEST:
            use = Use.GATEWAY
        return decide(self._store, lambda records: self._take_address(records, request.pool_id, wanted, use))

    def _take_address(
        self, records: Records, pool_id: str, wanted: IpAddress | None, use: Use
    ) -> tuple[list[Write], tuple[Subnet, IpAddress]]:
        subnet = _find(records, pool_id)
        if subnet is None:
            raise NotFound("address pool", pool_id)
        host = own_host(records, self._host)
        writes: list[Write] = []
        asked = wanted
        try:
            if wanted is not None:
                check_wanted(records, subnet, wanted)
                if use is Use.ENDPOINT and subnet.network is None:
                    use = Use.AUXILIARY  # before CreateNetwork only --aux-address asks for a plain address
            elif use is Use.GATEWAY:
                wanted = addresses.first_free(records, subnet)
            else:
                wanted, writes = addresses.next_free(records, subnet, host.id)
        except addresses.PoolExhausted:
            what = f"range {subnet.range} of subnet {subnet.cidr}" if subnet.range else f"subnet {subnet.cidr}"
            raise Exhausted(f"no address is left in {what}: remove containers, or make a larger network") from None
        if use is Use.GATEWAY and subnet.network is None:
            writes.append(Update(subnet, dataclasses.replace(subnet, gateway=wanted)))
        named = asked is not None
        if (kept := addresses.taken(records, subnet, wanted)) is not None:
            writes.append(addresses.taken_up(kept, host.id, asked=named))
        else:
            writes.append(addresses.take(subnet, wanted, use, host.id, asked=named))
        return writes, (subnet, wanted)

    def release_address(self, request: wire.ReleaseAddress) -> None:
        """Give an address back; one that nobody holds is free already."""
        ip = parse_address(request.address) if request.address else None

        def decision(records: Records) -> tuple[list[Write], None]:
            subnet = _find(records, request.pool_id)
            if subnet is None or ip is None or (held := addresses.taken(records, subnet, ip)) is None:
                return [], None
            return [addresses.given_back(held)], None

        decide(self._store, decision)


def grown(space: Space) -> Write:
    """Return the write in which two who add subnets at once meet (those who make the space meet in its name)."""
    return Update(space, dataclasses.replace(space, revision=space.revision + 1))


def forget_subnet(records: Records, subnet: Subnet) -> list[Write]:
    """Return the writes that remove a subnet with its blocks and addresses."""
    writes: list[Write] = [Delete(address) for address in records.addresses.of(subnet=subnet.id)]
    writes += [Delete(block) for block in records.blocks.of(subnet=subnet.id)]
    return [*writes, Delete(subnet)]


def parse_network(text: str, what: str) -> IpNetwork:
    """Return the network `text` names; bits beyond its prefix are dropped, as Docker does."""
    try:
        cidr = ipaddress.ip_network(_zoneless(text), strict=False)
    except ValueError as error:
        raise BadRequest(f"{what} {text!r} is not a subnet: {error}") from None
    if any(cidr.version == other.version and cidr.overlaps(other) for other in NOBODYS):
        raise BadRequest(f"{what} {cidr} is not one that machines can have addresses of")
    if cidr.version == LINK_LOCAL.version and cidr.overlaps(LINK_LOCAL):
        raise BadRequest(f"{what} {cidr} is link-local, which every interface has by itself: choose one of fd00::/8")
    return cidr


def parse_address(text: str) -> IpAddress:
    """Return the address `text` names, with or without a prefix length."""
    try:
        return ipaddress.ip_interface(_zoneless(text)).ip
    except ValueError as error:
        raise BadRequest(f"{text!r} is not an address: {error}") from None


def _zoneless(text: str) -> str:
    if "%" in text:  # fe80::1%eth0: would count as another address than fe80::1
        raise ValueError("a zone means nothing here")
    return text


def parse_range(
    text: str, wanted: IpNetwork | None, what: str = "--ip-range", of: str = "--subnet"
) -> IpNetwork | None:
    """Return the part of the subnet `wanted` that `text` names."""
    if not text:
        return None
    within = parse_network(text, what)
    if wanted is None:
        raise BadRequest(f"{what} {within} needs a {of} that holds it")
    if within.version != wanted.version or not within.subnet_of(wanted):  # type: ignore[arg-type]  # same version
        raise BadRequest(f"{what} {within} does not lie in {of} {wanted}")
    return within


def check_wanted(records: Records, subnet: Subnet, wanted: IpAddress) -> None:
    """Refuse an address that cannot be had in the subnet; one that is kept for somebody (`sticky`) can."""
    if wanted.version != subnet.cidr.version or not addresses.usable(subnet.cidr, wanted):
        raise BadRequest(f"address {wanted} is not one a machine can have in subnet {subnet.cidr}")
    held = addresses.taken(records, subnet, wanted)
    if held is not None and not held.free:
        raise BadRequest(f"address {wanted} is already in use as {_holder(records, subnet, held.use, wanted)}")


def _holder(records: Records, subnet: Subnet, use: Use, ip: IpAddress) -> str:
    if use is Use.GATEWAY:
        return f"the gateway of {subnet.cidr}"
    if use is Use.AUXILIARY:
        return "an auxiliary address of the network (--aux-address)"
    endpoint = None if subnet.network is None else addresses.carrier(records, subnet.network, ip)
    if endpoint is not None:
        return f"that of endpoint {endpoint.docker_id[:12]}"
    return "that of a container that is starting or stopping"


def _overlap(records: Records, cidr: IpNetwork, other: Subnet) -> str:
    network = records.networks.get(other.network)
    if network is None:
        return (
            f"subnet {cidr} overlaps {other.cidr}, which a network that is being made (or failed to be) holds: "
            "repeat the command in a minute"
        )
    return f"subnet {cidr} overlaps {other.cidr} of network {called(network)}: choose another, or remove that network"


def called(network: Network) -> str:
    """Return what a person knows a network by: its cluster-wide name, or as much of Docker's id as Docker shows."""
    return network.name if NAME.fullmatch(network.name) else network.name[:12]


def _find(records: Records, pool_id: str) -> Subnet | None:
    try:
        return records.subnets.get(uuid.UUID(pool_id))
    except ValueError:
        return None
