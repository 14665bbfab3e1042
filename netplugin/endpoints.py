"""The network driver's calls about endpoints: into the records and out, and what Join waits for."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import itertools
import re
import uuid
from collections.abc import Iterator

import structlog

from daemonkit.errors import BadRequest, NotFound
from netplugin import endpoint_options, options, wire
from netplugin.endpoint_options import EndpointOptions
from netplugin.host import own_host
from netplugin.networks import find, free_ofport
from netplugin.plan.addresses import take, taken, usable
from netplugin.plan.claims import forget_endpoint
from netplugin.pools import parse_address
from records.model import (
    GATEWAY_MAC,
    DockerNetwork,
    Endpoint,
    EndpointId,
    IpAddress,
    IpInterface,
    Kind,
    NetworkId,
    Subnet,
    Use,
)
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Insert, Keep, Update, Write

log = structlog.get_logger()

NOTED_WITHIN = 1.0  # seconds for what is needed later, if ever

MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
ENDPOINT_ID = re.compile(r"[0-9a-f]{64}")  # the first 13 digits name the interfaces


@dataclasses.dataclass(frozen=True, slots=True)
class Created:
    """An endpoint, and whether we chose its MAC: only what Docker left open may be answered (PROTOCOL rule 12)."""

    endpoint: Endpoint
    chose_mac: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Joined:
    """What Docker makes of an endpoint in the container."""

    endpoint: Endpoint
    prefix: str
    gateway: IpAddress | None
    gateway_ipv6: IpAddress | None
    second: bool = False  # whether Docker shall add an interface of its own for the way out


class Endpoints:
    """Endpoints as this host's Docker makes them."""

    def __init__(self, store: Store, host: str) -> None:
        self._store = store
        self._host = host

    def create(self, request: wire.CreateEndpoint) -> Created:
        """Put the endpoint into the records; the same call again changes nothing.

        Raises:
            NotFound: no such network.
            BadRequest: an address outside the network, a bad MAC, an option we do not know.

        """
        interface = request.interface or wire.Interface()
        if not ENDPOINT_ID.fullmatch(request.endpoint_id):
            raise BadRequest(f"endpoint id {request.endpoint_id!r} is not one of Docker's")
        asked = endpoint_options.parse(request.options)
        chose_mac = not interface.mac_address
        made = decide(self._store, lambda records: self._create(records, request, interface, asked))
        log.info("endpoint created", endpoint=made.docker_id[:12], address=str(made.ipv4 or made.ipv6), mac=made.mac)
        return Created(made, chose_mac)

    def _create(
        self,
        records: Records,
        request: wire.CreateEndpoint,
        interface: wire.Interface,
        asked: EndpointOptions,
    ) -> tuple[list[Write], Endpoint]:
        on = find(records, self._host, request.network_id)
        _check_direct(records, on, published=bool((request.options or {}).get(wire.PORTMAP)))
        ipv4 = _address(records, on, interface.address, 4)
        ipv6 = _address(records, on, interface.address_ipv6, 6)
        mac = _mac(interface.mac_address, ipv4, ipv6)
        known = records.endpoints.one(docker_id=request.endpoint_id)
        if known is not None:
            if (known.docker_network, known.mac, known.ipv4, known.ipv6) != (on.id, mac, ipv4, ipv6):
                raise BadRequest(f"endpoint {request.endpoint_id[:12]} exists with another address or network")
            return [], known
        made = Endpoint(
            id=EndpointId(uuid.uuid4()),
            docker_id=request.endpoint_id,
            docker_network=on.id,
            network=on.network,
            host=on.host,
            ofport=free_ofport(records, own_host(records, self._host), request.endpoint_id),
            mac=mac,
            ipv4=ipv4,
            ipv6=ipv6,
            receive_rate=asked.receive_rate,
            send_rate=asked.send_rate,
            spoof=asked.spoof,
        )
        _check_mac(records, on, made)
        # Docker gives an address to one endpoint at a time: one that still has it is of a container that died unseen.
        stale = list(_same_address(records, on, made))
        for old in stale:
            log.warning("endpoint replaced: its address was given anew", endpoint=old.docker_id[:12])
        return [
            Keep(on),
            *itertools.chain.from_iterable(forget_endpoint(records, old) for old in stale),
            *_hold(records, made),
            Insert(made),
        ], made

    def join(self, request: wire.Join) -> Joined:
        """Tell what Docker needs to know; the endpoint is there from its creation on.

        Raises:
            NotFound: no such network or endpoint.

        """
        records = self._store.snapshot()
        on = find(records, self._host, request.network_id)
        endpoint = _known(records, on, request.endpoint_id)
        if endpoint is None:
            raise NotFound("endpoint", f"{request.endpoint_id[:12]} (in Moorage's records of host {self._host})")
        if options.publish(on.options) is options.Publish.DOCKER:
            return Joined(endpoint, options.prefix(on.options), gateway=None, gateway_ipv6=None, second=True)
        return Joined(
            endpoint,
            prefix=options.prefix(on.options),
            gateway=_gateway(records, endpoint, endpoint.ipv4),
            gateway_ipv6=_gateway(records, endpoint, endpoint.ipv6),
        )

    def note_sandbox(self, joined: Endpoint, sandbox: str) -> None:
        """Record which network stack the endpoint was given to: endpoints of one container are known by it.

        Raises:
            Unavailable: the database did not answer in `NOTED_WITHIN`; Join waits no longer for it than for others.

        """

        def decision(records: Records) -> tuple[list[Write], None]:
            known = records.endpoints.get(joined.id)
            if known is None or known.sandbox == sandbox:
                return [], None
            return [Update(known, dataclasses.replace(known, sandbox=sandbox))], None

        decide(self._store, decision, within=NOTED_WITHIN)

    def delete(self, request: wire.EndpointOnly) -> None:
        """Take the endpoint out of the records; unknown ones are gone already."""

        def decision(records: Records) -> tuple[list[Write], bool]:
            known = records.endpoints.one(docker_id=request.endpoint_id)
            return ([], False) if known is None else (forget_endpoint(records, known), True)

        if decide(self._store, decision):
            log.info("endpoint deleted", endpoint=request.endpoint_id[:12])


def _check_direct(records: Records, on: DockerNetwork, *, published: bool) -> None:
    """Refuse published ports where this host is not on the way to its containers."""
    network = records.networks.get(on.network)
    if published and network is not None and not network.gateway_here:
        raise BadRequest(
            "published ports (-p) mean nothing on a VLAN network: its containers are reached directly, by their own "
            "addresses; leave -p out, or connect the container to the network that serves them first"
        )


def _check_mac(records: Records, on: DockerNetwork, made: Endpoint) -> None:
    """Refuse a MAC address that another endpoint of a VLAN has: there frames are delivered by it."""
    network = records.networks.get(on.network)
    if network is None or network.kind is not Kind.VLAN:
        return
    for other in records.endpoints.of(network=on.network):
        if other.mac == made.mac and (made.ipv4, made.ipv6) != (other.ipv4, other.ipv6):
            raise BadRequest(f"--mac-address {made.mac} is that of endpoint {other.docker_id[:12]} on the same VLAN")


def _known(records: Records, on: DockerNetwork, docker_id: str) -> Endpoint | None:
    known = records.endpoints.one(docker_id=docker_id)
    return known if known is not None and known.docker_network == on.id else None


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
    return ipaddress.ip_interface((ip, subnet.cidr.prefixlen))


def subnet_of(records: Records, network: NetworkId, ip: IpAddress) -> Subnet | None:
    """Return the subnet of a network that holds `ip`."""
    return next((s for s in records.subnets.of(network=network) if ip in s.cidr), None)


def _hold(records: Records, made: Endpoint) -> Iterator[Write]:
    """Yield what takes an endpoint's addresses, where they were given back behind its back (`netplugin.forgotten`)."""
    for own in (made.ipv4, made.ipv6):
        subnet = None if own is None else subnet_of(records, made.network, own.ip)
        if own is not None and subnet is not None and subnet.managed and taken(records, subnet, own.ip) is None:
            yield take(subnet, own.ip, Use.ENDPOINT, made.host)


def _gateway(records: Records, endpoint: Endpoint, own: IpInterface | None) -> IpAddress | None:
    """Return the gateway of the endpoint's own subnet (PROTOCOL rule 18)."""
    subnet = None if own is None else subnet_of(records, endpoint.network, own.ip)
    return None if subnet is None else subnet.gateway


def _mac(given: str, ipv4: IpInterface | None, ipv6: IpInterface | None) -> str:
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


def _same_address(records: Records, on: DockerNetwork, made: Endpoint) -> Iterator[Endpoint]:
    for other in records.endpoints.of(network=on.network):
        if (made.ipv4 is not None and other.ipv4 == made.ipv4) or (made.ipv6 is not None and other.ipv6 == made.ipv6):
            yield other
