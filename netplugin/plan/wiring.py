"""What this host should have for each endpoint and routing domain: links, ports, gateway addresses; pure.

Keys are Docker's endpoint ids, ids of VRFs, and names of uplinks: all lead to a record and to an interface's name.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import NewType

from records.model import (
    GATEWAY_MAC,
    Endpoint,
    Host,
    IpInterface,
    Published,
    Uplink,
    Vrf,
    VrfId,
    gateway_port,
)
from records.snapshot import Records

Key = NewType("Key", str)

UPLINK = "uplink/"  # begins the keys of uplinks; no other key has a stroke


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """A pair of virtual Ethernet interfaces; the peer is Docker's once it has moved it into the container."""

    name: str
    peer: str = dataclasses.field(compare=False)
    mac: str = dataclasses.field(compare=False)  # the peer's
    mtu: int  # bytes, of both ends: dockerd sets neither (PROTOCOL rule 15)


@dataclasses.dataclass(frozen=True, slots=True)
class Port:
    """A port of the integration bridge.  `problem` is Open vSwitch's word why it has no place in the datapath."""

    name: str
    ofport: int
    internal: bool = False
    mac: str | None = None  # of an internal port; Open vSwitch chooses none for others
    mtu: int | None = None  # bytes, of an internal port; a link has its own
    attached_mac: str = dataclasses.field(
        default="", compare=False
    )  # for people: ovs Documentation/topics/integration.rst
    problem: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class GatewayLink:
    """The host's end of a routing domain: an internal port that is up and has the gateways' addresses."""

    name: str
    addresses: frozenset[IpInterface]
    up: bool = True
    forwarding: bool = True  # the host lets what comes in by it out again, in the families of its addresses
    localnet: bool = True  # takes answers for 127.0.0.1 back in (route_localnet of the kernel's ip-sysctl.rst)


@dataclasses.dataclass(frozen=True, slots=True)
class Nic:
    """An uplink's interface: the machine's own, of which we ask that it is up and nothing else.

    `opened` says that it is the one which Open vSwitch has open, and not another that has its name since.
    """

    name: str
    up: bool = True
    opened: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Wiring:
    """Look-ups that the planners of one host share."""

    host: str

    def record(self, records: Records) -> Host | None:
        return records.hosts.one(name=self.host)

    def endpoint(self, records: Records, key: Key) -> Endpoint | None:
        host, endpoint = self.record(records), records.endpoints.one(docker_id=key)
        return endpoint if endpoint is not None and host is not None and endpoint.host == host.id else None

    def endpoints(self, records: Records) -> Iterator[Endpoint]:
        host = self.record(records)
        return iter(()) if host is None else records.endpoints.of(host=host.id)

    def vrf(self, records: Records, key: Key) -> Vrf | None:
        host, vrf = self.record(records), records.vrfs.get(_vrf_id(key))
        return vrf if vrf is not None and host is not None and vrf.host == host.id else None

    def vrfs(self, records: Records) -> Iterator[Vrf]:
        host = self.record(records)
        return iter(()) if host is None else records.vrfs.of(host=host.id)

    def published(self, records: Records) -> Iterator[Published]:
        host = self.record(records)
        return iter(()) if host is None else records.published.of(host=host.id)

    def published_at(self, records: Records, ports: Iterable[int]) -> Iterator[Published]:
        host = self.record(records)
        for row in chain.from_iterable(records.published.of(host_port=port) for port in ports):
            if host is not None and row.host == host.id:
                yield row

    def uplink(self, records: Records, key: Key) -> Uplink | None:
        host, name = self.record(records), key.removeprefix(UPLINK)
        return None if host is None or name == key else records.uplinks.one(host=host.id, interface=name)

    def uplinks(self, records: Records) -> Iterator[Uplink]:
        host = self.record(records)
        return iter(()) if host is None else records.uplinks.of(host=host.id)


def endpoint_key(endpoint: Endpoint) -> Key:
    """Return the key of an endpoint's link and port."""
    return Key(endpoint.docker_id)


def vrf_key(vrf: Vrf) -> Key:
    """Return the key of a routing domain's port and gateway."""
    return Key(vrf.id.hex)


def uplink_key(interface: str) -> Key:
    """Return the key of an uplink's port."""
    return Key(UPLINK + interface)


def _vrf_id(key: Key) -> VrfId | None:
    try:
        return VrfId(uuid.UUID(key))
    except ValueError:  # an endpoint's, or of a mark that somebody else has written
        return None


def gateways(records: Records, vrf: Vrf) -> frozenset[IpInterface]:
    """Return the gateway addresses of the VRF's subnets, each with its subnet's prefix length."""
    found = set()
    for on in records.docker_networks.of(vrf=vrf.id):
        network = records.networks.get(on.network)
        for subnet in records.subnets.of(network=on.network) if network is None or network.gateway_here else ():
            if subnet.gateway is not None:
                found.add(ipaddress.ip_interface((subnet.gateway, subnet.cidr.prefixlen)))
    return frozenset(found)


def _mtu(records: Records, vrf: Vrf) -> int | None:
    """Return the least MTU of the VRF's networks: what the host may send to any of them."""
    found = [n.mtu for on in records.docker_networks.of(vrf=vrf.id) if (n := records.networks.get(on.network))]
    return min(found, default=None)


@dataclasses.dataclass(frozen=True, slots=True)
class Links(Wiring):
    """Planner of the links: one pair an endpoint, until it leaves its container.

    Who has `left` stands in no record: where it is forgotten (a restart), the pair is made again, until the endpoint is
    deleted.
    """

    left: Collection[str] = frozenset()  # Docker's ids of endpoints

    def keys(self, source: Records) -> Collection[Key]:
        return {endpoint_key(e) for e in self.endpoints(source) if e.docker_id not in self.left}

    def want(self, source: Records, key: Key) -> Link | None:
        endpoint = self.endpoint(source, key)
        network = None if endpoint is None else source.networks.get(endpoint.network)
        if endpoint is None or network is None or endpoint.docker_id in self.left:
            return None
        return Link(endpoint.port, endpoint.peer, endpoint.mac, network.mtu)


class Ports(Wiring):
    """Planner of the bridge's ports: one an endpoint, a routing domain that has a gateway, and an uplink."""

    __slots__ = ()

    def keys(self, source: Records) -> Collection[Key]:
        own = {endpoint_key(e) for e in self.endpoints(source)} | {vrf_key(v) for v in self.vrfs(source)}
        return own | {uplink_key(u.interface) for u in self.uplinks(source)}

    def want(self, source: Records, key: Key) -> Port | None:
        if (endpoint := self.endpoint(source, key)) is not None:
            return Port(endpoint.port, endpoint.ofport, attached_mac=endpoint.mac)
        if (uplink := self.uplink(source, key)) is not None:
            return Port(uplink.interface, uplink.ofport)
        vrf = self.vrf(source, key)
        if vrf is None or not gateways(source, vrf):
            return None
        mtu = _mtu(source, vrf)
        return Port(gateway_port(vrf), vrf.ofport, internal=True, mac=GATEWAY_MAC, mtu=mtu, attached_mac=GATEWAY_MAC)


class Gateways(Wiring):
    """Planner of the gateways' addresses on the host."""

    __slots__ = ()

    def keys(self, source: Records) -> Collection[Key]:
        return {vrf_key(v) for v in self.vrfs(source)}

    def want(self, source: Records, key: Key) -> GatewayLink | None:
        vrf = self.vrf(source, key)
        addresses = frozenset() if vrf is None else gateways(source, vrf)
        return GatewayLink(gateway_port(vrf), addresses) if vrf is not None and addresses else None


class Uplinks(Wiring):
    """Planner of the uplinks' interfaces."""

    __slots__ = ()

    def keys(self, source: Records) -> Collection[Key]:
        return {uplink_key(u.interface) for u in self.uplinks(source)}

    def want(self, source: Records, key: Key) -> Nic | None:
        uplink = self.uplink(source, key)
        return None if uplink is None else Nic(uplink.interface)
