"""What flows are made from: small values drawn from the records of one host, so that equal values mean equal flows."""

from __future__ import annotations

import dataclasses
import ipaddress

from controller.match import Address, Prefix
from controller.meter import receiving, sending
from records.model import Endpoint, Gateway, Host, Kind, Network, Subnet, Uplink, Vrf
from records.snapshot import Records

# A segment's number is unique in its kind only; bits 24 and 25 of the metadata tell the kinds apart.
_KIND_BITS = {Kind.VXLAN: 0 << 24, Kind.VLAN: 1 << 24, Kind.BRIDGE: 2 << 24}


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    """An endpoint of this host."""

    port: int
    mac: str
    ipv4: Address | None
    ipv6: Address | None
    segment: int
    zone: int
    spoof: bool = False
    on_vlan: bool = False
    receive_meter: int | None = None
    send_meter: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Domain:
    """A routing domain of this host that has a gateway port, and the number of that."""

    zone: int
    port: int


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """A network that this host's Docker knows.

    `domains` are those it is in here (one, unless the records are odd); `subnets` pairs a prefix with the gateway that
    answers in it, or None.
    """

    key: int
    domains: tuple[Domain, ...]
    subnets: tuple[tuple[Prefix, Address | None], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Trunk:
    """An uplink of this host: the port that leads to the VLANs of the physical network."""

    port: int


@dataclasses.dataclass(frozen=True, slots=True)
class Vlan:
    """A VLAN network that this host's Docker knows; `members` are the ports of its endpoints here."""

    key: int
    zone: int
    vlan: int
    uplink: int
    members: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Barred:
    """The storage servers that this host must not reach."""

    servers: tuple[Address, ...]


def segment_key(network: Network) -> int:
    """Return what the metadata of the network's packets is in the switch."""
    return _KIND_BITS[network.kind] | network.segment


def has_gateway(network: Network) -> bool:
    """Say whether anything lies behind the network's gateway address."""
    return network.gateway_here and network.gateway is not Gateway.NONE and not network.internal


def attachment(records: Records, host: Host, endpoint: Endpoint) -> Attachment | None:
    """Return the endpoint as its flows see it; None where it is not of this host or its network has not arrived."""
    network = records.networks.get(endpoint.network)
    docker_network = records.docker_networks.get(endpoint.docker_network)
    vrf = records.vrfs.get(docker_network.vrf) if docker_network is not None else None
    if endpoint.host != host.id or network is None or vrf is None:
        return None
    return Attachment(
        port=endpoint.ofport,
        mac=endpoint.mac.lower(),
        ipv4=endpoint.ipv4.ip if endpoint.ipv4 is not None else None,
        ipv6=endpoint.ipv6.ip if endpoint.ipv6 is not None else None,
        segment=segment_key(network),
        zone=vrf.zone,
        spoof=endpoint.spoof,
        on_vlan=network.kind is Kind.VLAN,
        receive_meter=receiving(endpoint.ofport) if endpoint.receive_rate is not None else None,
        send_meter=sending(endpoint.ofport) if endpoint.send_rate is not None else None,
    )


def segment(records: Records, host: Host, network: Network) -> Segment | None:
    """Return the network as its flows see it; None where this host's Docker does not know it."""
    vrfs = {
        vrf.id: vrf
        for known in records.docker_networks.of(network=network.id)
        if known.host == host.id and (vrf := records.vrfs.get(known.vrf)) is not None
    }
    if not vrfs:
        return None
    behind = has_gateway(network)
    subnets = sorted(records.subnets.of(network=network.id), key=_prefix_order)
    return Segment(
        key=segment_key(network),
        domains=tuple(sorted((Domain(vrf.zone, vrf.ofport) for vrf in vrfs.values()), key=lambda d: d.zone)),
        subnets=tuple((subnet.cidr, subnet.gateway if behind else None) for subnet in subnets),
    )


def vlan(records: Records, host: Host, network: Network) -> Vlan | None:
    """Return the VLAN network as its flows see it; None where this host's Docker does not know it, or has no uplink."""
    for known in records.docker_networks.of(network=network.id):
        vrf, uplink = records.vrfs.get(known.vrf), records.uplinks.get(known.uplink)
        if known.host == host.id and vrf is not None and uplink is not None:
            members = sorted(e.ofport for e in records.endpoints.of(network=network.id) if e.host == host.id)
            return Vlan(segment_key(network), vrf.zone, network.segment, uplink.ofport, tuple(members))
    return None


def trunk(host: Host, uplink: Uplink) -> Trunk | None:
    """Return the uplink as its flows see it; None where it is not of this host."""
    return Trunk(uplink.ofport) if uplink.host == host.id else None


def _prefix_order(subnet: Subnet) -> tuple[int, int, int]:
    return subnet.cidr.version, int(subnet.cidr.network_address), subnet.cidr.prefixlen


def domain(records: Records, host: Host, vrf: Vrf) -> Domain | None:
    """Return the routing domain as its flows see it; None where it has no gateway port on this host."""
    if vrf.host != host.id:
        return None
    networks = (records.networks.get(known.network) for known in records.docker_networks.of(vrf=vrf.id))
    gateways = (
        subnet.gateway is not None
        for network in networks
        if network is not None and has_gateway(network)
        for subnet in records.subnets.of(network=network.id)
    )
    return Domain(vrf.zone, vrf.ofport) if any(gateways) else None


def barred(records: Records, host: Host) -> Barred:
    """Return what the host is fenced from; a fence that names no address is for the host's own volume plugin only."""
    named = {fence.server for fence in records.fences.of(host=host.id) if fence.server}
    return Barred(tuple(sorted(map(ipaddress.ip_address, named), key=lambda ip: (ip.version, int(ip)))))
