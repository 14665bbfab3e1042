"""Records of networks: segments, their addresses, and what containers have of them."""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, NewType, TypeAlias

from records.model.cluster import HostId, TenantId
from records.model.fields import bounded, ref

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IpInterface: TypeAlias = ipaddress.IPv4Interface | ipaddress.IPv6Interface
IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

NetworkId = NewType("NetworkId", uuid.UUID)
SpaceId = NewType("SpaceId", uuid.UUID)
SubnetId = NewType("SubnetId", uuid.UUID)
BlockId = NewType("BlockId", uuid.UUID)
AddressId = NewType("AddressId", uuid.UUID)
VrfId = NewType("VrfId", uuid.UUID)
DockerNetworkId = NewType("DockerNetworkId", uuid.UUID)
EndpointId = NewType("EndpointId", uuid.UUID)
PublishedId = NewType("PublishedId", uuid.UUID)
UplinkId = NewType("UplinkId", uuid.UUID)

# Names of our interfaces on the host begin so; iptables matches them by it, so that it must be nobody else's ("mgmt").
LINK, GATEWAY_PORT = "mv-", "mg-"
GATEWAY_MAC = "0e:00:00:00:00:fe"  # of every gateway on every host: a moved container keeps its neighbour entry


class Kind(StrEnum):
    """How the hosts of a network are joined."""

    BRIDGE = "bridge"  # this host only
    VLAN = "vlan"  # a VLAN of the physical network
    VXLAN = "vxlan"  # an overlay between hosts


class Gateway(StrEnum):
    """What lies behind a network's gateway address."""

    NAT = "nat"  # the outside, masqueraded as the host
    ROUTED = "routed"  # the outside, with the container's own address
    NONE = "none"  # nothing: there is no gateway


class Isolation(StrEnum):
    """Which other networks may reach a network."""

    NETWORK = "network"  # none
    TENANT = "tenant"  # those of the same tenant
    OPEN = "open"  # all


class Use(StrEnum):
    """What an address is taken for."""

    GATEWAY = "gateway"
    AUXILIARY = "auxiliary"  # kept free for a machine of the user's (`--aux-address`)
    ENDPOINT = "endpoint"


class Protocol(StrEnum):
    """Whose ports can be published."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A segment: endpoints on it reach each other.  `segment` is its VNI or VLAN id; a bridge has one too."""

    TABLE: ClassVar = "Network"
    UNIQUE: ClassVar = (("tenant", "name"), ("kind", "segment"))

    id: NetworkId
    name: str
    tenant: TenantId = ref("Tenant")
    kind: Kind
    segment: int = bounded(1, 2**24 - 1)
    mtu: int = bounded(68, 65535)  # bytes, of the containers' interfaces; RFC 791: no link carries less than 68
    internal: bool = False
    gateway: Gateway = Gateway.NAT
    isolation: Isolation = Isolation.NETWORK
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def gateway_here(self) -> bool:
        """Whether the hosts are its gateway; that of a VLAN is a router of the physical network."""
        return self.kind is not Kind.VLAN


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """An address space: the scope in which subnets are disjoint.  One a host for bridges, one a tenant for the rest.

    `revision` grows with each subnet added, so that two who add overlapping subnets at once change the same row.
    """

    TABLE: ClassVar = "Space"
    UNIQUE: ClassVar = (("name",),)

    id: SpaceId
    name: str
    revision: int = bounded(0, 2**63 - 1, default=0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A CIDR of a space: Docker's pool.  It has no network between RequestPool and CreateNetwork.

    `range` is `--ip-range`: the part that addresses are handed out from.  `managed` says that our IPAM driver made it;
    else Docker's did, and hands out the addresses.
    """

    TABLE: ClassVar = "Subnet"
    UNIQUE: ClassVar = (("space", "cidr"),)

    id: SubnetId
    space: SpaceId = ref("Space")
    cidr: IpNetwork
    range: IpNetwork | None = None
    network: NetworkId | None = ref("Network", default=None)
    gateway: IpAddress | None = None
    managed: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a subnet whose addresses one host hands out; `last` is the one it handed out last."""

    TABLE: ClassVar = "Block"
    UNIQUE: ClassVar = (("subnet", "cidr"),)

    id: BlockId
    subnet: SubnetId = ref("Subnet")
    cidr: IpNetwork
    host: HostId = ref("Host")
    last: IpAddress | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address of a subnet that is taken."""

    TABLE: ClassVar = "Address"
    UNIQUE: ClassVar = (("subnet", "ip"),)

    id: AddressId
    subnet: SubnetId = ref("Subnet")
    ip: IpAddress
    use: Use
    host: HostId = ref("Host")  # whose Docker asked for it
    mac: str | None = None  # of the endpoint that asked, when Docker tells
    sticky: str | None = None  # name of who gets this address, and MAC, again on this network
    free: bool = False  # kept for `sticky`, whom nobody is now
    asked: bool = False  # whether the user named it (`--ip`)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Vrf:
    """A routing domain on one host: conntrack zone, routing table and gateway port at once.

    `name` says whose: `network/<id of a Network>`, or `tenant/<id of a Tenant>` for all its networks that share one.
    """

    TABLE: ClassVar = "Vrf"
    UNIQUE: ClassVar = (("host", "name"), ("host", "zone"), ("host", "ofport"))

    id: VrfId
    host: HostId = ref("Host")
    name: str
    zone: int = bounded(1, 65535)  # conntrack zone and register 4 of the pipeline
    ofport: int = bounded(1, 65279)  # OpenFlow number of the gateway port; OFPP_MAX is 0xff00


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """A physical interface of a host that is a port of its bridge: the way to the VLANs of the physical network."""

    TABLE: ClassVar = "Uplink"
    UNIQUE: ClassVar = (("host", "interface"), ("host", "ofport"))

    id: UplinkId
    host: HostId = ref("Host")
    interface: str  # its name on the host
    ofport: int = bounded(1, 65279)  # OFPP_MAX is 0xff00


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DockerNetwork:
    """A network as one host's Docker knows it."""

    TABLE: ClassVar = "Docker_Network"
    UNIQUE: ClassVar = (("host", "docker_id"),)

    id: DockerNetworkId
    docker_id: str
    host: HostId = ref("Host")
    network: NetworkId = ref("Network")
    vrf: VrfId = ref("Vrf")
    uplink: UplinkId | None = ref("Uplink", default=None)  # of a VLAN network
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)  # as the user gave them


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A container's attachment to a network.  Which container is not known at CreateEndpoint: rely on it never.

    `up` and `problem` are the controller's: its flows are in the switch and its port is there, or why not.
    """

    TABLE: ClassVar = "Endpoint"
    UNIQUE: ClassVar = (("docker_id",), ("host", "ofport"), ("network", "mac"))

    id: EndpointId
    docker_id: str
    docker_network: DockerNetworkId = ref("Docker_Network")
    network: NetworkId = ref("Network")
    host: HostId = ref("Host")
    ofport: int = bounded(1, 65279)  # OFPP_MAX is 0xff00; what we ask Open vSwitch for (ofport_request)
    mac: str
    ipv4: IpInterface | None = None
    ipv6: IpInterface | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sandbox: str | None = None  # Docker's key of the network stack it was given to (Join)
    receive_rate: int | None = bounded(1, 2**31 - 1, default=None)  # kbit/s, towards the container; None: no limit
    send_rate: int | None = bounded(1, 2**31 - 1, default=None)  # kbit/s, from the container
    spoof: bool = False  # whether it may send with addresses that are not its own
    up: bool = False
    problem: str | None = None

    @property
    def port(self) -> str:
        """Name of the interface on the host: at most 15 bytes (IFNAMSIZ - 1), unique over 2^48 endpoints."""
        return LINK + self.docker_id[:12]

    @property
    def peer(self) -> str:
        """Name of the container's end before Docker renames it."""
        return "mp" + self.docker_id[:13]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A port of an endpoint that its host serves (`-p`): one row a port of the host.

    `host_ip` is the address of the host that it is bound to: 0.0.0.0 or :: for all of that family.
    """

    TABLE: ClassVar = "Published"
    UNIQUE: ClassVar = (("host", "protocol", "host_ip", "host_port"),)

    id: PublishedId
    endpoint: EndpointId = ref("Endpoint")
    host: HostId = ref("Host")
    protocol: Protocol
    host_ip: IpAddress
    host_port: int = bounded(1, 65535, sought=True)
    port: int = bounded(1, 65535)  # of the container


def gateway_port(vrf: Vrf) -> str:
    """Name of the VRF's internal port on the host (15 bytes)."""
    return GATEWAY_PORT + vrf.id.hex[:12]
