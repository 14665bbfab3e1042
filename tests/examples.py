"""A small consistent cluster of records for tests: a host with a network, its subnet, a block, and endpoints on it."""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid
from collections.abc import Sequence

from records.model import (
    Address,
    AddressId,
    Block,
    BlockId,
    DockerNetwork,
    DockerNetworkId,
    Endpoint,
    EndpointId,
    Host,
    HostId,
    Kind,
    Network,
    NetworkId,
    Record,
    Space,
    SpaceId,
    Subnet,
    SubnetId,
    Tenant,
    TenantId,
    Use,
    Vrf,
    VrfId,
)
from records.writes import Insert


@dataclasses.dataclass(frozen=True)
class World:
    """One of each record but addresses and endpoints, which `address` and `endpoint` make."""

    host: Host
    tenant: Tenant
    network: Network
    space: Space
    subnet: Subnet
    block: Block
    vrf: Vrf
    docker_network: DockerNetwork

    @property
    def inserts(self) -> Sequence[Insert]:
        return [Insert(getattr(self, field.name)) for field in dataclasses.fields(self)]

    def address(self, ip: str, use: Use = Use.ENDPOINT) -> Address:
        return Address(
            id=AddressId(uuid.uuid4()),
            subnet=self.subnet.id,
            ip=ipaddress.ip_address(ip),
            use=use,
            host=self.host.id,
        )

    def endpoint(self, number: int) -> Endpoint:
        ip = ipaddress.IPv4Address("10.1.0.0") + number
        return Endpoint(
            id=EndpointId(uuid.uuid4()),
            docker_id=f"{number:064x}",
            docker_network=self.docker_network.id,
            network=self.network.id,
            host=self.host.id,
            ofport=number,
            mac="02:42:" + ip.packed.hex(":"),
            ipv4=ipaddress.ip_interface(f"{ip}/16"),
        )


def world(host: str = "a", network: str = "web", segment: int = 7) -> World:
    """Return records that refer to each other, with ids of their own each time."""
    a = Host(id=HostId(uuid.uuid4()), name=host, vtep="192.0.2.1", versions={"netplugin": "0.1"}, labels={"rack": "1"})
    tenant = Tenant(id=TenantId(uuid.uuid4()), name=f"tenant of {network}")
    net = Network(
        id=NetworkId(uuid.uuid4()), name=network, tenant=tenant.id, kind=Kind.BRIDGE, segment=segment, mtu=1500
    )
    space = Space(id=SpaceId(uuid.uuid4()), name=f"host {host}")
    subnet = Subnet(
        id=SubnetId(uuid.uuid4()),
        space=space.id,
        cidr=ipaddress.ip_network("10.1.0.0/16"),
        network=net.id,
        gateway=ipaddress.ip_address("10.1.0.1"),
    )
    block = Block(id=BlockId(uuid.uuid4()), subnet=subnet.id, cidr=ipaddress.ip_network("10.1.0.0/26"), host=a.id)
    vrf = Vrf(id=VrfId(uuid.uuid4()), host=a.id, name=f"network/{segment}", zone=segment, ofport=segment)
    docker_network = DockerNetwork(
        id=DockerNetworkId(uuid.uuid4()), docker_id=f"{segment:064x}", host=a.id, network=net.id, vrf=vrf.id
    )
    return World(a, tenant, net, space, subnet, block, vrf, docker_network)


def everything(of: World) -> Sequence[Record]:
    """Return the world's records with an address and an endpoint: one of each class."""
    return [*(insert.new for insert in of.inserts), of.address("10.1.0.2"), of.endpoint(2)]
