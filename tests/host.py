"""Records of one host for tests of the controller: always the same ids, so that what is made of them can be compared.

Networks: `web` (dual stack) and `app` are in one routing domain; `dark` has no gateway; `red` is in a domain of its own
and has the same addresses as `web`.  `phys` is VLAN 100 of the physical network, by the uplink eth1.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from records.model import (
    Backend,
    BackendId,
    DockerNetwork,
    DockerNetworkId,
    Endpoint,
    EndpointId,
    Fence,
    FenceId,
    Gateway,
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
    Uplink,
    UplinkId,
    Volume,
    VolumeId,
    Vrf,
    VrfId,
)
from records.snapshot import Records

NAME = "a"


def ident(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, name)


HOST = Host(id=HostId(ident("host a")), name=NAME)
OTHER = Host(id=HostId(ident("host b")), name="b")
TENANT = Tenant(id=TenantId(ident("tenant")), name="default")
SPACE = Space(id=SpaceId(ident("space")), name="here")
GREEN = Vrf(id=VrfId(ident("green")), host=HOST.id, name="network/green", zone=11, ofport=200)
RED = Vrf(id=VrfId(ident("red")), host=HOST.id, name="network/red", zone=12, ofport=201)
DARK = Vrf(id=VrfId(ident("dark")), host=HOST.id, name="network/dark", zone=13, ofport=202)
GREY = Vrf(id=VrfId(ident("grey")), host=HOST.id, name="network/grey", zone=14, ofport=203)
UPLINK = Uplink(id=UplinkId(ident("uplink")), host=HOST.id, interface="eth1", ofport=300)


def network(name: str, segment: int, **more: Any) -> Network:
    kind = more.pop("kind", Kind.BRIDGE)
    return Network(
        id=NetworkId(ident(f"network {name}")),
        name=name,
        tenant=TENANT.id,
        kind=kind,
        segment=segment,
        mtu=1500,
        **more,
    )


WEB, APP, RED_WEB = network("web", 1), network("app", 2), network("red", 3)
PHYS = network("phys", 100, kind=Kind.VLAN, gateway=Gateway.ROUTED)
DARK_NET = network("dark", 4, gateway=Gateway.NONE)


def subnet(of: Network, cidr: str, gateway: str | None) -> Subnet:
    return Subnet(
        id=SubnetId(ident(f"subnet {of.name} {cidr}")),
        space=SPACE.id if of is not RED_WEB else OTHER_SPACE.id,
        cidr=ipaddress.ip_network(cidr),
        network=of.id,
        gateway=ipaddress.ip_address(gateway) if gateway else None,
    )


OTHER_SPACE = Space(id=SpaceId(ident("other space")), name="there")
SUBNETS = [
    subnet(WEB, "10.1.0.0/16", "10.1.0.1"),
    subnet(WEB, "fd00:1::/64", "fd00:1::1"),
    subnet(APP, "10.2.0.0/16", "10.2.0.1"),
    subnet(RED_WEB, "10.1.0.0/16", "10.1.0.1"),
    subnet(DARK_NET, "10.4.0.0/16", "10.4.0.1"),
    subnet(PHYS, "10.5.0.0/16", "10.5.255.254"),
    subnet(PHYS, "fd00:5::/64", "fd00:5::fe"),
]


def known(of: Network, vrf: Vrf) -> DockerNetwork:
    return DockerNetwork(
        id=DockerNetworkId(ident(f"docker {of.name}")),
        docker_id=ident(of.name).hex * 2,
        host=HOST.id,
        network=of.id,
        vrf=vrf.id,
        uplink=UPLINK.id if of.kind is Kind.VLAN else None,
    )


DOMAINS = ((WEB, GREEN), (APP, GREEN), (RED_WEB, RED), (DARK_NET, DARK), (PHYS, GREY))
KNOWN = {net.id: known(net, vrf) for net, vrf in DOMAINS}


def endpoint(name: str, of: Network, port: int, ipv4: str | None, ipv6: str | None = None, mac: str = "") -> Endpoint:
    four = ipaddress.ip_interface(ipv4) if ipv4 else None
    return Endpoint(
        id=EndpointId(ident(f"endpoint {name}")),
        docker_id=ident(name).hex * 2,
        docker_network=KNOWN[of.id].id,
        network=of.id,
        host=HOST.id,
        ofport=port,
        mac=mac or "02:42:" + (four.ip.packed.hex(":") if four else "00:00:00:01"),
        ipv4=four,
        ipv6=ipaddress.ip_interface(ipv6) if ipv6 else None,
    )


W1 = endpoint("w1", WEB, 11, "10.1.0.11/16", "fd00:1::11/64")
W2 = endpoint("w2", WEB, 12, "10.1.0.12/16", "fd00:1::12/64")
W3 = endpoint("w3", WEB, 13, "10.1.0.13/16", mac="0a:00:00:00:00:13")  # `--mac-address`
A1 = endpoint("a1", APP, 21, "10.2.0.21/16")
R1 = endpoint("r1", RED_WEB, 31, "10.1.0.11/16")  # the same address as w1
R2 = endpoint("r2", RED_WEB, 32, "10.1.0.32/16")
D1 = endpoint("d1", DARK_NET, 41, "10.4.0.41/16")
D2 = endpoint("d2", DARK_NET, 42, "10.4.0.42/16")
S1 = dataclasses.replace(endpoint("s1", WEB, 14, "10.1.0.14/16", "fd00:1::14/64"), spoof=True)
P1 = endpoint("p1", PHYS, 51, "10.5.0.51/16", "fd00:5::51/64")
P2 = endpoint("p2", PHYS, 52, "10.5.0.52/16", mac="0a:00:00:00:00:52")
OUTSIDERS = [P1, P2]
L1 = dataclasses.replace(endpoint("l1", WEB, 15, "10.1.0.15/16", "fd00:1::15/64"), receive_rate=10_000, send_rate=2_000)
ENDPOINTS = [W1, W2, W3, A1, R1, R2, D1, D2, S1, L1]

BACKEND = Backend(id=BackendId(ident("backend nfs1")), name="nfs1", kind="nfs", source="srv:/export")
VOLUME = Volume(
    id=VolumeId(ident("volume data")),
    name="data",
    tenant=TENANT.id,
    backend=BACKEND.id,
    path="default/data",
    steward=OTHER.id,
)


def fence(server: str, of: Host = HOST) -> Fence:
    key = FenceId(ident(f"fence {server} {of.name}"))
    return Fence(id=key, volume=VOLUME.id, host=of.id, server=server, epoch=2)


FENCES = [fence("203.0.113.7"), fence("fd00:7::7"), fence(""), fence("203.0.113.8", OTHER)]

ALL: Sequence[Record] = [
    HOST,
    OTHER,
    TENANT,
    SPACE,
    OTHER_SPACE,
    GREEN,
    RED,
    DARK,
    GREY,
    UPLINK,
    WEB,
    APP,
    RED_WEB,
    DARK_NET,
    PHYS,
    *SUBNETS,
    *KNOWN.values(),
    *ENDPOINTS,
    *OUTSIDERS,
    BACKEND,
    VOLUME,
    *FENCES,
]


def records(of: Sequence[Record] = ALL) -> Records:
    """Return a snapshot of these."""
    return Records().replaced((None, record) for record in of)


def changed(of: Records, record: Record, **columns: Any) -> Records:
    """Return the snapshot with other values in one record."""
    return of.replaced([(record, dataclasses.replace(record, **columns))])


def ports(*more: Endpoint) -> Mapping[str, int]:
    """Return the switch's ports: name to number."""
    return {
        **{endpoint.port: endpoint.ofport for endpoint in (*ENDPOINTS, *OUTSIDERS, *more)},
        UPLINK.interface: UPLINK.ofport,
        **{f"gw{vrf.zone}": vrf.ofport for vrf in (GREEN, RED, DARK)},
    }
