"""The network driver's calls about networks: into the records and out; decides and commits, touches no system."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence

import structlog

from daemonkit.errors import BadRequest, NotFound
from netplugin import options, uplinks, wire
from netplugin.host import space_of
from netplugin.plan.claims import forget_endpoint
from netplugin.plan.numbers import OFPORT_MAX, SEGMENT_MAX, ZONE_MAX, choose
from netplugin.pools import called, forget_subnet, grown
from netplugin.subnets import Pool, link, pools
from records.hosts import own_host
from records.model import (
    DockerNetwork,
    DockerNetworkId,
    Host,
    Isolation,
    Kind,
    Network,
    NetworkId,
    Tenant,
    TenantId,
    UplinkId,
    Vrf,
    VrfId,
)
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Delete, Insert, Keep, Write

log = structlog.get_logger()

NETWORK_ID = re.compile(r"[0-9A-Za-z]{1,128}")  # 64 hex digits from Docker, 25 of base 36 from swarm


class Networks:
    """Networks as this host's Docker makes them."""

    def __init__(self, store: Store, host: str, nics: uplinks.Nics = uplinks.no_nics, uplink: str = "") -> None:
        """Look at interfaces by `nics`; VLAN networks go out by `uplink` where they name none."""
        self._store = store
        self._host = host
        self._nics = nics
        self._uplink = uplink

    def create(self, request: wire.CreateNetwork) -> DockerNetwork:
        """Put the network into the records; the same call again changes nothing.

        Raises:
            BadRequest: an option, subnet or gateway that cannot be; nothing is left behind.

        """
        if not NETWORK_ID.fullmatch(request.network_id):
            raise BadRequest(f"network id {request.network_id!r} is not one of Docker's")
        asked = options.parse(request.options)
        if asked.kind is Kind.VLAN and not self.known(request.network_id):
            asked = uplinks.fitted(asked, self._uplink, self._nics)
        subnets = pools(request, asked.given)
        if any(pool.cidr.version == 6 for pool in subnets) and asked.mtu < options.MTU_MIN_IPV6:
            raise BadRequest(f"an MTU of {asked.mtu} is too small for IPv6, which needs {options.MTU_MIN_IPV6} bytes")
        made = decide(self._store, lambda records: self._create(records, request.network_id, asked, subnets))
        log.info("network created", network=request.network_id[:12], subnets=[str(p.cidr) for p in subnets])
        return made

    def _create(
        self, records: Records, docker_id: str, asked: options.NetworkOptions, subnets: Sequence[Pool]
    ) -> tuple[list[Write], DockerNetwork]:
        host = own_host(records, self._host)
        known = records.docker_networks.one(host=host.id, docker_id=docker_id)
        if known is not None:
            _check_same(records, known, asked, subnets)
            return [], known
        tenant, writes = _tenant(records, asked.tenant)
        network = _network(records, tenant, docker_id, asked)
        vrf, joined = _vrf(records, host, network, docker_id)
        uplink: UplinkId | None = None
        way: list[Write] = []
        if asked.kind is Kind.VLAN and asked.uplink is not None:
            port = free_ofport(records, host, asked.uplink, but=vrf.ofport)
            uplink, way = uplinks.take(records, host, asked.uplink, port)
        made = DockerNetwork(
            id=DockerNetworkId(uuid.uuid4()),
            docker_id=docker_id,
            host=host.id,
            network=network.id,
            vrf=vrf.id,
            uplink=uplink,
            options=asked.given,
        )
        space, more = space_of(records, self._host)
        linked = [write for pool in subnets for write in link(records, space, network, pool, host.id)]
        if any(isinstance(write, Insert) for write in linked):
            more = more or [grown(space)]
        return [*writes, *more, *way, Insert(network), joined, Insert(made), *linked], made

    def delete(self, docker_id: str) -> None:
        """Take the network out of the records, with whatever Docker has forgotten on it; unknown ones are gone."""

        def decision(records: Records) -> tuple[list[Write], bool]:
            host = records.hosts.one(name=self._host)
            known = None if host is None else records.docker_networks.one(host=host.id, docker_id=docker_id)
            return ([], False) if known is None else (forget_network(records, known), True)

        if decide(self._store, decision):
            log.info("network deleted", network=docker_id[:12])

    def known(self, docker_id: str) -> bool:
        """Return whether the network is in the records already."""
        records = self._store.snapshot()
        host = records.hosts.one(name=self._host)
        return host is not None and records.docker_networks.one(host=host.id, docker_id=docker_id) is not None


def find(records: Records, host: str, docker_id: str) -> DockerNetwork:
    """Return the record of a network of this host's Docker, or raise NotFound."""
    row = records.hosts.one(name=host)
    known = None if row is None else records.docker_networks.one(host=row.id, docker_id=docker_id)
    if known is None:
        raise NotFound("network", f"{docker_id[:12]} (in Moorage's records of host {host}; remove and create it again)")
    return known


def forget_network(records: Records, known: DockerNetwork) -> list[Write]:
    """Return the writes that remove a network of one host's Docker, and the network itself with its last host."""
    endpoints = records.endpoints.of(docker_network=known.id)
    writes: list[Write] = [write for endpoint in endpoints for write in forget_endpoint(records, endpoint)]
    writes += [Delete(known), *uplinks.leave(records, known)]
    if (vrf := records.vrfs.get(known.vrf)) is not None:
        other = _other(known, records.docker_networks.of(vrf=vrf.id))
        writes.append(Delete(vrf) if other is None else Keep(other))
    if (other := _other(known, records.docker_networks.of(network=known.network))) is not None:
        return [*writes, Keep(other)]
    for subnet in records.subnets.of(network=known.network):
        writes += forget_subnet(records, subnet)
    if (network := records.networks.get(known.network)) is not None:
        writes.append(Delete(network))
    return writes


def _other(leaving: DockerNetwork, sharing: Iterable[DockerNetwork]) -> DockerNetwork | None:
    """Return one that shares with `leaving`.  Who counts on it must keep it: two that leave at once must not both."""
    return next((other for other in sharing if other.id != leaving.id), None)


def _tenant(records: Records, name: str) -> tuple[Tenant, list[Write]]:
    if (tenant := records.tenants.one(name=name)) is not None:
        return tenant, [Keep(tenant)]
    tenant = Tenant(id=TenantId(uuid.uuid4()), name=name)
    return tenant, [Insert(tenant)]


def _network(records: Records, tenant: Tenant, docker_id: str, asked: options.NetworkOptions) -> Network:
    name = asked.name or docker_id
    if records.networks.one(tenant=tenant.id, name=name) is not None:
        raise BadRequest(f"moorage.network={name} is the name of another network of tenant {tenant.name}")
    if asked.segment is not None:
        segment = asked.segment
        if (other := records.networks.one(kind=asked.kind, segment=segment)) is not None:
            raise BadRequest(f"moorage.segment={segment} is the VLAN of network {called(other)} already")
    else:
        segment = choose(docker_id, SEGMENT_MAX, lambda n: records.networks.one(kind=asked.kind, segment=n) is not None)
    return Network(
        id=NetworkId(uuid.uuid4()),
        name=name,
        tenant=tenant.id,
        kind=asked.kind,
        segment=segment,
        mtu=asked.mtu,
        internal=asked.internal,
        gateway=asked.gateway,
        isolation=asked.isolation,
    )


def _vrf(records: Records, host: Host, network: Network, docker_id: str) -> tuple[Vrf, Write]:
    """Return the network's routing domain on this host, and the write that makes it, or keeps the one it shares."""
    shared = network.isolation is Isolation.TENANT
    name = f"tenant/{network.tenant}" if shared else f"network/{network.id}"
    if (there := records.vrfs.one(host=host.id, name=name)) is not None:
        _check_mtu(records, there, network)
        return there, Keep(there)
    made = Vrf(
        id=VrfId(uuid.uuid4()),
        host=host.id,
        name=name,
        zone=choose(docker_id, ZONE_MAX, lambda n: records.vrfs.one(host=host.id, zone=n) is not None),
        ofport=free_ofport(records, host, docker_id),
    )
    return made, Insert(made)


def _check_mtu(records: Records, vrf: Vrf, network: Network) -> None:
    """The switch routes within a domain, and neither fragments what is too large nor tells its sender."""
    for on in records.docker_networks.of(vrf=vrf.id):
        other = records.networks.get(on.network)
        if other is not None and other.mtu != network.mtu:
            raise BadRequest(
                f"moorage.isolation=tenant: an MTU of {network.mtu} differs from the {other.mtu} of network "
                f"{called(other)}, which this one is to reach; use -o moorage.mtu={other.mtu}"
            )


def free_ofport(records: Records, host: Host, seed: str, *, but: int = 0) -> int:
    """Return an OpenFlow port number that no endpoint, gateway or uplink of the host has, and that is not `but`."""

    def taken(number: int) -> bool:
        return (
            number == but
            or records.endpoints.one(host=host.id, ofport=number) is not None
            or records.vrfs.one(host=host.id, ofport=number) is not None
            or records.uplinks.one(host=host.id, ofport=number) is not None
        )

    return choose(seed, OFPORT_MAX, taken)


def _check_same(records: Records, known: DockerNetwork, asked: options.NetworkOptions, subnets: Sequence[Pool]) -> None:
    """A repeated CreateNetwork must ask for what is there."""
    have = {subnet.cidr for subnet in records.subnets.of(network=known.network)}
    if known.options != asked.given or have != {pool.cidr for pool in subnets}:
        raise BadRequest(f"network {known.docker_id[:12]} exists with other options or subnets")
