"""VLAN networks and the interfaces they go out by."""

from __future__ import annotations

from typing import Any

import pytest

from daemonkit.errors import BadRequest, InUse
from netplugin import wire
from netplugin.endpoints import Endpoints
from netplugin.networks import Networks
from netplugin.uplinks import Nic
from records.memory import MemoryStore
from records.model import DockerNetwork, Gateway, Network, Uplink
from tests.plugin import endpoint_id

NICS = {
    "eth1": Nic(mtu=1500),
    "eth2": Nic(mtu=9000),
    "lo": Nic(mtu=65536, loopback=True),
    "eth3": Nic(mtu=1500, bridge="br-ex"),
    "eth4": Nic(mtu=1500, addresses=("192.0.2.7/24", "2001:db8::7/64")),
}


@pytest.fixture
def networks(store: MemoryStore) -> Networks:
    return Networks(store, "a", NICS.get)


def asked(number: int = 100, uplink: str | None = "eth1", pool: str | None = None, **more: str) -> wire.CreateNetwork:
    generic = {"moorage.kind": "vlan", "moorage.segment": str(number)}
    generic |= {"moorage.uplink": uplink} if uplink else {}
    pool = pool or f"10.{number}.0.0/24"
    return wire.CreateNetwork(
        network_id=f"{number:064x}",
        options={"com.docker.network.generic": generic | {f"moorage.{key}": value for key, value in more.items()}},
        ipv4_data=[wire.IPAMData(pool=pool, gateway=pool.replace("0/24", "254/24"))],
    )


def network(store: MemoryStore, made: DockerNetwork) -> Network:
    found = store.snapshot().networks.get(made.network)
    assert found is not None
    return found


def uplinks(store: MemoryStore) -> list[Uplink]:
    return sorted(store.snapshot().uplinks, key=lambda uplink: uplink.interface)


def refusal(networks: Networks, request: wire.CreateNetwork) -> str:
    with pytest.raises(BadRequest) as caught:
        networks.create(request)
    return str(caught.value)


def test_a_vlan_network_has_the_users_number_an_uplink_and_its_mtu(store: MemoryStore, networks: Networks) -> None:
    made = networks.create(asked(uplink="eth2"))

    (uplink,) = uplinks(store)
    assert (made.uplink, uplink.interface) == (uplink.id, "eth2")
    found = network(store, made)
    assert (100, 9000, Gateway.ROUTED) == (found.segment, found.mtu, found.gateway)
    assert ["10.100.0.254"] == [str(subnet.gateway) for subnet in store.snapshot().subnets]


def test_an_mtu_of_the_users_is_kept_if_the_uplink_carries_it(store: MemoryStore, networks: Networks) -> None:
    assert 1400 == network(store, networks.create(asked(mtu="1400"))).mtu
    assert "moorage.mtu=1501 is more than eth1 carries, 1500 bytes" == refusal(networks, asked(101, mtu="1501"))


def test_without_a_gateway_containers_have_none(store: MemoryStore, networks: Networks) -> None:
    networks.create(asked(gateway="none"))

    assert [None] == [subnet.gateway for subnet in store.snapshot().subnets]


def test_vlans_of_one_interface_share_its_uplink_and_the_last_takes_it_along(
    store: MemoryStore, networks: Networks
) -> None:
    first, second = networks.create(asked(100)), networks.create(asked(200))
    assert first.uplink == second.uplink
    assert ["eth1"] == [uplink.interface for uplink in uplinks(store)]

    networks.delete(first.docker_id)
    assert ["eth1"] == [uplink.interface for uplink in uplinks(store)]

    networks.delete(second.docker_id)
    assert [] == uplinks(store)
    assert 0 == len(store.snapshot().networks)


def test_numbers_of_ports_are_shared_by_nobody(store: MemoryStore, networks: Networks) -> None:
    for number, uplink in enumerate(("eth1", "eth2") * 10, 100):
        networks.create(asked(number, uplink))

    records = store.snapshot()
    assert 22 == len({vrf.ofport for vrf in records.vrfs} | {uplink.ofport for uplink in records.uplinks})


def test_the_hosts_configuration_names_the_uplink_where_the_user_does_not(store: MemoryStore) -> None:
    configured = Networks(store, "a", NICS.get, "eth2")
    configured.create(asked(100, uplink=None))
    configured.create(asked(101, uplink="eth1"))

    assert ["eth1", "eth2"] == [uplink.interface for uplink in uplinks(store)]


@pytest.mark.parametrize(
    ("uplink", "text"),
    [
        (None, "needs the interface that leads to the VLANs: -o moorage.uplink=NIC, or [netplugin] uplink"),
        ("eth7", "moorage.uplink=eth7: this host has no such interface (`ip link` lists them)"),
        ("lo", "moorage.uplink=lo: the loopback interface leads nowhere"),
        ("eth3", "moorage.uplink=eth3: it is a port of bridge br-ex; take it out of there first"),
        ("eth4", "moorage.uplink=eth4: it has the address 192.0.2.7/24, 2001:db8::7/64, which would stop working"),
    ],
)
def test_an_interface_that_cannot_be_taken_is_refused_and_leaves_nothing(
    store: MemoryStore, networks: Networks, uplink: str | None, text: str
) -> None:
    assert text in refusal(networks, asked(uplink=uplink))
    assert [0, 0, 0] == [len(store.snapshot().tables[name]) for name in ("Network", "Uplink", "Vrf")]


def test_a_vlan_is_one_network(store: MemoryStore, networks: Networks) -> None:
    networks.create(asked(network="phys"))
    again = asked(pool="10.7.0.0/24", uplink="eth2")

    text = refusal(networks, wire.CreateNetwork(**{**fields(again), "network_id": "f" * 64}))

    assert "moorage.segment=100 is the VLAN of network phys already" == text
    assert ["eth1"] == [uplink.interface for uplink in uplinks(store)]


def test_a_repeated_call_does_not_ask_for_an_interface_that_is_gone(store: MemoryStore, networks: Networks) -> None:
    made = networks.create(asked())

    assert made == Networks(store, "a").create(asked())


def test_ports_are_not_published_where_containers_are_reached_directly(store: MemoryStore, networks: Networks) -> None:
    networks.create(asked())
    ports = {"com.docker.network.portmap": [{"Proto": 6, "Port": 80, "HostPort": 8080}]}

    with pytest.raises(BadRequest, match=r"published ports \(-p\) mean nothing on a VLAN network"):
        Endpoints(store, "a").create(container(1, "10.100.0.7/24", options=ports))
    assert 0 == len(store.snapshot().endpoints)


def test_one_mac_address_is_one_endpoint_of_a_vlan(store: MemoryStore, networks: Networks) -> None:
    networks.create(asked())
    endpoints = Endpoints(store, "a")
    endpoints.create(container(1, "10.100.0.7/24", mac_address="02:00:00:00:00:01"))

    with pytest.raises(InUse, match="MAC address 02:00:00:00:00:01 is in use by endpoint 000100010001"):
        endpoints.create(container(2, "10.100.0.8/24", mac_address="02:00:00:00:00:01"))
    endpoints.create(container(3, "10.100.0.7/24", mac_address="02:00:00:00:00:01"))  # its container came back

    assert [endpoint_id(3)] == [endpoint.docker_id for endpoint in store.snapshot().endpoints]


def container(number: int, address: str, options: dict[str, Any] | None = None, **more: str) -> wire.CreateEndpoint:
    interface = wire.Interface(address=address, **more)
    return wire.CreateEndpoint(
        network_id=f"{100:064x}", endpoint_id=endpoint_id(number), interface=interface, options=options
    )


def fields(request: wire.CreateNetwork) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__struct_fields__}
