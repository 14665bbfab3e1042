"""The network driver's calls about endpoints: into the records and out, and what Join waits for."""

from __future__ import annotations

import dataclasses
import itertools
import re
import uuid
from collections.abc import Collection, Iterator

import structlog

from daemonkit.errors import BadRequest, InUse, NotFound
from netplugin import endpoint_options, options, wire
from netplugin.endpoint_options import EndpointOptions
from netplugin.networks import find, free_ofport
from netplugin.placement import addresses, place, subnet_of
from netplugin.plan.addresses import given_back, taken
from netplugin.plan.claims import forget_endpoint
from netplugin.subnets import driver_addressed
from records.hosts import own_host
from records.model import (
    DockerNetwork,
    Endpoint,
    EndpointId,
    IpAddress,
    IpInterface,
)
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Insert, Keep, Update, Write

log = structlog.get_logger()

NOTED_WITHIN = 1.0  # seconds for what is needed later, if ever

ENDPOINT_ID = re.compile(r"[0-9a-f]{64}")  # the first 13 digits name the interfaces


@dataclasses.dataclass(frozen=True, slots=True)
class Created:
    """An endpoint, and what we chose of it: only what Docker left open may be answered (PROTOCOL rule 12)."""

    endpoint: Endpoint
    chose_mac: bool
    chose_addresses: bool = False


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
        chose_addresses = not interface.address and not interface.address_ipv6
        return Created(made, chose_mac, chose_addresses)

    def _create(
        self,
        records: Records,
        request: wire.CreateEndpoint,
        interface: wire.Interface,
        asked: EndpointOptions,
    ) -> tuple[list[Write], Endpoint]:
        on = find(records, self._host, request.network_id)
        _check_direct(records, on, published=bool((request.options or {}).get(wire.PORTMAP)))
        known = records.endpoints.one(docker_id=request.endpoint_id)
        if known is not None:
            _check_same(records, on, known, interface)
            return [], known
        at = place(records, on, interface, asked)
        made = Endpoint(
            id=EndpointId(uuid.uuid4()),
            docker_id=request.endpoint_id,
            docker_network=on.id,
            network=on.network,
            host=on.host,
            ofport=free_ofport(records, own_host(records, self._host), request.endpoint_id),
            mac=at.mac,
            ipv4=at.ipv4,
            ipv6=at.ipv6,
            receive_rate=asked.receive_rate,
            send_rate=asked.send_rate,
            spoof=asked.spoof,
        )
        # Docker gives an address to one endpoint at a time: one that still has it is of a container that died unseen.
        stale = list(_same_address(records, on, made))
        for old in stale:
            log.warning("endpoint replaced: its address was given anew", endpoint=old.docker_id[:12])
        _check_mac(records, made, stale)
        return [
            Keep(on),
            *itertools.chain.from_iterable(forget_endpoint(records, old) for old in stale),
            *at.writes,
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
            if known is None:
                return [], False
            return [*forget_endpoint(records, known), *_addresses_back(records, known)], True

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


def _known(records: Records, on: DockerNetwork, docker_id: str) -> Endpoint | None:
    known = records.endpoints.one(docker_id=docker_id)
    return known if known is not None and known.docker_network == on.id else None


def _check_same(records: Records, on: DockerNetwork, known: Endpoint, interface: wire.Interface) -> None:
    """A repeated CreateEndpoint must ask for what is there; what Docker leaves open may be anything."""
    given = (*addresses(records, on, interface), interface.mac_address.lower() or None)
    have = (known.ipv4, known.ipv6, known.mac)
    if known.docker_network != on.id or any(g not in {None, h} for g, h in zip(given, have, strict=True)):
        raise BadRequest(f"endpoint {known.docker_id[:12]} exists with another address or network")


def _check_mac(records: Records, made: Endpoint, stale: Collection[Endpoint]) -> None:
    """Refuse a MAC that another has, also to who may spoof: that is a right to send, and a neighbour has one place."""
    other = records.endpoints.one(network=made.network, mac=made.mac)
    if other is not None and other.id not in {old.id for old in stale}:
        address = other.ipv4 or other.ipv6
        holder = f"endpoint {other.docker_id[:12]}{f' ({address.ip})' if address else ''} of this network"
        raise InUse("MAC address", made.mac, f"{holder}: choose another with --mac-address")


def _addresses_back(records: Records, gone: Endpoint) -> Iterator[Write]:
    """Yield what frees the addresses that we chose ourselves; the others' IPAM driver is told by Docker."""
    on = records.docker_networks.get(gone.docker_network)
    if on is None or not driver_addressed(on.options):
        return
    for own in (gone.ipv4, gone.ipv6):
        subnet = None if own is None else subnet_of(records, gone.network, own.ip)
        held = None if own is None or subnet is None else taken(records, subnet, own.ip)
        if held is not None:
            yield given_back(held)


def _gateway(records: Records, endpoint: Endpoint, own: IpInterface | None) -> IpAddress | None:
    """Return the gateway of the endpoint's own subnet (PROTOCOL rule 18)."""
    subnet = None if own is None else subnet_of(records, endpoint.network, own.ip)
    return None if subnet is None else subnet.gateway


def _same_address(records: Records, on: DockerNetwork, made: Endpoint) -> Iterator[Endpoint]:
    for other in records.endpoints.of(network=on.network):
        if (made.ipv4 is not None and other.ipv4 == made.ipv4) or (made.ipv6 is not None and other.ipv6 == made.ipv6):
            yield other
