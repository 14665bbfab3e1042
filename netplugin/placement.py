"""Which addresses and MAC an endpoint gets: Docker's, those kept for its name (`moorage.sticky`), or new ones; pure.

On a network of our IPAM driver Docker has an address before it tells the name, and takes no other from us: so a name
keeps an address that its user chose (`--ip`), and is refused with another.  Where the driver chooses the addresses, a
name simply gets its own again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import re
from collections.abc import Iterator, Sequence

from daemonkit.errors import BadRequest, Exhausted, InUse
from netplugin.endpoint_options import IP, STICKY, EndpointOptions
from netplugin.plan.addresses import PoolExhausted, carrier, entry, next_free, taken, usable
from netplugin.pools import check_wanted, grown, parse_address
from netplugin.subnets import SUBNET, driver_addressed
from netplugin.wire import Interface
from records.model import GATEWAY_MAC, Address, DockerNetwork, IpAddress, IpInterface, NetworkId, Subnet, Use
from records.snapshot import Records
from records.writes import Insert, Update, Write

MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")


@dataclasses.dataclass(frozen=True, slots=True)
class Placement:
    """What an endpoint is reached by, and the records that say so."""

    ipv4: IpInterface | None
    ipv6: IpInterface | None
    mac: str
    writes: tuple[Write, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """One address of the endpoint: its subnet, its record as it was, and the blocks it is handed out of."""

    own: IpInterface
    subnet: Subnet
    held: Address | None
    blocks: Sequence[Write] = ()


def place(records: Records, on: DockerNetwork, interface: Interface, asked: EndpointOptions) -> Placement:
    """Return where a new endpoint is put; `interface` has what Docker has decided.

    Raises:
        BadRequest: an address outside the network, a bad MAC, one that is kept for another.
        InUse: the name is another container's.
        Exhausted: no address is left.

    """
    given = addresses(records, on, interface)
    places = list(_places(records, on, given, asked))
    ipv4, ipv6 = (next((p.own for p in places if p.own.version == version), None) for version in (4, 6))
    kept = next((p.held.mac for p in places if p.held is not None and p.held.sticky is not None), None)
    mac = mac_address(interface.mac_address or kept or "", ipv4, ipv6)
    return Placement(ipv4, ipv6, mac, tuple(_writes(records, on, places, asked.sticky, mac)))


def _places(
    records: Records, on: DockerNetwork, given: Sequence[IpInterface | None], asked: EndpointOptions
) -> Iterator[_Place]:
    choosing = driver_addressed(on.options)
    if not choosing:
        _check_named(records, on, given, asked)
    for version, own, wanted in zip((4, 6), given, (asked.ip, asked.ip6), strict=True):
        if own is not None:
            yield _decided(records, on, own, asked.sticky)
        elif choosing and (subnet := _subnet(records, on, version, wanted)) is not None:
            yield _chosen(records, on, subnet, wanted, asked.sticky)


def _check_named(
    records: Records, on: DockerNetwork, given: Sequence[IpInterface | None], asked: EndpointOptions
) -> None:
    """Refuse what only works where the driver chooses addresses."""
    if asked.ip is not None or asked.ip6 is not None:
        raise BadRequest(f"{IP} is for networks whose addresses the driver chooses (-o {SUBNET}=...): here it is --ip")
    if asked.sticky is None or any(True for _ in _kept(records, on, asked.sticky)):
        return
    subnets = [(own, subnet_of(records, on.network, own.ip)) for own in given if own is not None]
    held = [taken(records, subnet, own.ip) for own, subnet in subnets if subnet is not None and subnet.managed]
    if held and not any(address is not None and address.asked for address in held):
        raise BadRequest(
            f"{STICKY}={asked.sticky}: nothing is kept for that name yet, and on this network Docker asks for an "
            "address before it tells the name: start it with --ip ADDRESS, or use a network whose addresses the driver "
            f"chooses (docker network create --ipam-driver null -o {SUBNET}=CIDR)"
        )


def _decided(records: Records, on: DockerNetwork, own: IpInterface, name: str | None) -> _Place:
    """Return the place of an address that Docker's IPAM driver, mostly ours, has decided."""
    subnet = subnet_of(records, on.network, own.ip)
    if subnet is None:  # checked by `docker_address`
        raise BadRequest(f"address {own.ip} is in no subnet of the network")
    held = taken(records, subnet, own.ip)
    if name is not None and not subnet.managed:
        raise BadRequest(
            f"{STICKY} needs addresses that Moorage keeps: create the network with --ipam-driver moorage-net, or with "
            f"--ipam-driver null -o {SUBNET}=CIDR"
        )
    if held is not None and held.sticky is not None and held.sticky != name:
        raise BadRequest(
            f"address {own.ip} is kept for {held.sticky} ({STICKY}): choose another, start it as "
            f"driver-opt={STICKY}={held.sticky}, or see `moorage sticky rm`"
        )
    if name is not None:
        for mine in _kept(records, on, name):
            if mine.ip.version == own.version and mine.ip != own.ip:
                option = "--ip" if own.version == 4 else "--ip6"
                raise BadRequest(
                    f"{STICKY}={name} has address {mine.ip} on this network, not {own.ip}: start it with "
                    f"{option} {mine.ip}, or see `moorage sticky rm`"
                )
    return _Place(own, subnet, held)


def _chosen(records: Records, on: DockerNetwork, subnet: Subnet, wanted: IpAddress | None, name: str | None) -> _Place:
    """Return the place of an address that we choose: the name's own, the one asked for, or the next free."""
    mine = next((a for a in _kept(records, on, name) if a.ip.version == subnet.cidr.version), None) if name else None
    if mine is not None:
        if wanted not in {None, mine.ip}:
            raise BadRequest(f"{STICKY}={name} has address {mine.ip} on this network: leave {wanted} out")
        if not mine.free:
            raise InUse("the name", f"{name} ({STICKY})", _carrier(records, on, mine.ip))
        return _Place(_interface(mine.ip, subnet), subnet, mine)
    if wanted is not None:
        check_wanted(records, subnet, wanted)
        held = taken(records, subnet, wanted)
        if held is not None:
            raise BadRequest(f"address {wanted} is kept for {held.sticky} ({STICKY}): choose another")
        return _Place(_interface(wanted, subnet), subnet, None)
    try:
        ip, blocks = next_free(records, subnet, on.host)
    except PoolExhausted:
        raise Exhausted(f"no address is left in {subnet.range or subnet.cidr}: remove containers") from None
    return _Place(_interface(ip, subnet), subnet, None, blocks)


def _writes(
    records: Records, on: DockerNetwork, places: Sequence[_Place], name: str | None, mac: str
) -> Iterator[Write]:
    """Yield what makes the addresses the endpoint's, and keeps them for its name."""
    choosing, first = driver_addressed(on.options), False
    for at in places:
        if not at.subnet.managed:
            continue
        was = at.held
        now = was or entry(at.subnet, at.own.ip, Use.ENDPOINT, on.host)
        now = dataclasses.replace(now, free=False, host=on.host)
        if name is not None and (choosing or now.asked or now.sticky == name):
            first = first or now.sticky is None
            now = dataclasses.replace(now, sticky=name, mac=mac)
        if was is None:
            yield Insert(now)
        elif was != now:
            yield Update(was, now)
        yield from at.blocks
    if first:  # two who keep different addresses for one name meet in the row of the address space
        spaces = {at.subnet.space for at in places if at.subnet.managed}
        yield from (grown(space) for space in map(records.spaces.get, spaces) if space is not None)


def _kept(records: Records, on: DockerNetwork, name: str) -> Iterator[Address]:
    """Yield the addresses of the network that are kept for a name."""
    for subnet in records.subnets.of(network=on.network):
        for address in records.addresses.of(subnet=subnet.id):
            if address.sticky == name:
                yield address


def _carrier(records: Records, on: DockerNetwork, ip: IpAddress) -> str:
    if (endpoint := carrier(records, on.network, ip)) is not None:
        return f"endpoint {endpoint.docker_id[:12]}, which has its address {ip}"
    return "a container that is starting or stopping"


def _subnet(records: Records, on: DockerNetwork, version: int, wanted: IpAddress | None) -> Subnet | None:
    """Return the network's subnet of an IP version."""
    found = next((s for s in records.subnets.of(network=on.network) if s.cidr.version == version), None)
    if found is None and wanted is not None:
        raise BadRequest(f"address {wanted} is in no subnet of the network")
    return found


def _interface(ip: IpAddress, subnet: Subnet) -> IpInterface:
    return ipaddress.ip_interface((ip, subnet.cidr.prefixlen))


def addresses(records: Records, on: DockerNetwork, interface: Interface) -> tuple[IpInterface | None, ...]:
    """Return the addresses that Docker has decided, IPv4 and IPv6.

    Raises:
        BadRequest: one that cannot be on this network.

    """
    return tuple(_address(records, on, text, n) for text, n in ((interface.address, 4), (interface.address_ipv6, 6)))


def _address(records: Records, on: DockerNetwork, text: str, version: int) -> IpInterface | None:
    """Return Docker's address with the prefix length of the network's subnet it lies in."""
    if not text:
        return None
    ip = parse_address(text)
    if ip.version != version:
        raise BadRequest(f"address {ip} is not one of IPv{version}")
    subnet = subnet_of(records, on.network, ip)
    if subnet is None:
        cidrs = ", ".join(sorted(str(s.cidr) for s in records.subnets.of(network=on.network)))
        raise BadRequest(f"address {ip} is in no subnet of the network ({cidrs or 'it has none'})")
    if ip == subnet.gateway or not usable(subnet.cidr, ip):
        raise BadRequest(f"address {ip} is the gateway's, or none that a machine can have in subnet {subnet.cidr}")
    return _interface(ip, subnet)


def subnet_of(records: Records, network: NetworkId, ip: IpAddress) -> Subnet | None:
    """Return the subnet of a network that holds `ip`."""
    return next((s for s in records.subnets.of(network=network) if ip in s.cidr), None)


def mac_address(given: str, ipv4: IpInterface | None, ipv6: IpInterface | None) -> str:
    """Return the MAC asked for, or one made from the address, so that a container that comes back keeps it."""
    if given:
        if not MAC.fullmatch(given):
            raise BadRequest(f"--mac-address {given!r} is not a MAC address")
        if int(given[:2], 16) & 1:
            raise BadRequest(f"--mac-address {given} is a group address, which no machine can have")
        if given.lower() in (GATEWAY_MAC, "00:00:00:00:00:00"):
            raise BadRequest(f"--mac-address {given} is reserved: choose another")
        return given.lower()
    if ipv4 is None and ipv6 is None:
        raise BadRequest("the endpoint has no address: its network's IPAM driver gave none")
    tail = ipv4.ip.packed if ipv4 is not None else hashlib.blake2b(ipv6.ip.packed, digest_size=4).digest()  # type: ignore[union-attr]
    return "02:42:" + tail.hex(":")
