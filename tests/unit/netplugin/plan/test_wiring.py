import dataclasses
import ipaddress
import uuid
from typing import Any

import pytest

from netplugin.plan.bridge import Bridge, Bridges
from netplugin.plan.wiring import (
    GatewayLink,
    Gateways,
    Key,
    Link,
    Links,
    Nic,
    Port,
    Ports,
    Uplinks,
    endpoint_key,
    gateways,
    vrf_key,
)
from records.memory import MemoryStore
from records.model import GATEWAY_MAC, Endpoint, Kind, Record, Subnet, SubnetId, Uplink, UplinkId, gateway_port
from records.snapshot import Records
from records.writes import Delete, Insert
from tests.examples import World, world
from tests.plugin import plan

A, B = world("a", "web", 7), world("b", "db", 8)
ONE, TWO = A.endpoint(2), dataclasses.replace(A.endpoint(3), docker_id=f"{3:064x}"[::-1])


def records(*without: Record) -> Records:
    """Return two hosts with a network each, and two endpoints on the first one's, without some of it."""
    every = [*A.inserts, *B.inserts, Insert(ONE), Insert(TWO), Insert(elsewhere())]
    store = MemoryStore()
    store.commit(every)
    return store.commit([Delete(record) for record in without])


def elsewhere() -> Endpoint:
    return dataclasses.replace(B.endpoint(4), docker_id=f"{4:064x}"[::-1])


def without_gateway(of: World) -> Records:
    return records().replaced([(of.subnet, dataclasses.replace(of.subnet, gateway=None))])


def on_vlan() -> tuple[Records, Uplink]:
    """Return the records with the first host's network on a VLAN, by an uplink."""
    uplink = Uplink(id=UplinkId(uuid.uuid4()), host=A.host.id, interface="eth1", ofport=300)
    changed = records().replaced(
        [
            (None, uplink),
            (A.network, dataclasses.replace(A.network, kind=Kind.VLAN, segment=100)),
            (A.docker_network, dataclasses.replace(A.docker_network, uplink=uplink.id)),
        ]
    )
    return changed, uplink


def test_an_uplink_is_a_port_and_is_set_up_and_a_vlan_has_no_gateway_on_the_host() -> None:
    source, _ = on_vlan()

    assert Port("eth1", 300) == plan(Ports("a"), source)["uplink/eth1"]
    assert {"uplink/eth1": Nic("eth1")} == plan(Uplinks("a"), source)
    assert gateway_port(A.vrf) not in {port.name for port in plan(Ports("a"), source).values()}
    assert {} == plan(Gateways("a"), source)
    assert frozenset() == gateways(source, A.vrf)


def test_an_uplink_of_another_host_is_nobodys_here() -> None:
    source, _ = on_vlan()

    assert {} == plan(Uplinks("b"), source)
    assert "uplink/eth1" not in plan(Ports("b"), source)
    assert Ports("b").want(source, Key("uplink/eth1")) is None
    assert Ports("a").want(source, Key("uplink/eth7")) is None


def test_each_endpoint_of_the_host_has_a_pair_with_its_networks_mtu() -> None:
    assert {
        ONE.docker_id: Link(ONE.port, ONE.peer, ONE.mac, 1500),
        TWO.docker_id: Link(TWO.port, TWO.peer, TWO.mac, 1500),
    } == plan(Links("a"), records())


def test_an_endpoint_that_has_left_its_container_has_a_port_but_no_pair() -> None:
    planner = Links("a", {ONE.docker_id})

    assert {TWO.docker_id} == set(plan(planner, records())) == set(planner.keys(records()))
    assert planner.want(records(), endpoint_key(ONE)) is None
    assert ONE.docker_id in plan(Ports("a"), records())


def test_each_endpoint_and_each_routing_domain_of_the_host_has_a_port() -> None:
    gateway = gateway_port(A.vrf)

    assert {
        ONE.docker_id: Port(ONE.port, ONE.ofport, attached_mac=ONE.mac),
        TWO.docker_id: Port(TWO.port, TWO.ofport, attached_mac=TWO.mac),
        A.vrf.id.hex: Port(gateway, A.vrf.ofport, internal=True, mac=GATEWAY_MAC, mtu=1500, attached_mac=GATEWAY_MAC),
    } == plan(Ports("a"), records())


def test_a_gateway_is_an_address_of_each_subnet_with_its_prefix_length() -> None:
    gateway = GatewayLink(gateway_port(A.vrf), frozenset({ipaddress.ip_interface("10.1.0.1/16")}))

    assert {A.vrf.id.hex: gateway} == plan(Gateways("a"), records())


def test_a_dual_stack_network_has_a_gateway_of_each_family() -> None:
    v6 = Subnet(
        id=SubnetId(uuid.uuid4()),
        space=A.space.id,
        cidr=ipaddress.ip_network("fd00::/64"),
        network=A.network.id,
        gateway=ipaddress.ip_address("fd00::1"),
    )

    found = gateways(records().replaced([(None, v6)]), A.vrf)

    assert {"10.1.0.1/16", "fd00::1/64"} == {str(address) for address in found}


def test_a_network_without_a_gateway_has_no_port_for_one() -> None:
    assert {ONE.docker_id, TWO.docker_id} == set(plan(Ports("a"), without_gateway(A)))
    assert {} == plan(Gateways("a"), without_gateway(A))


def test_a_host_without_a_record_has_nothing() -> None:
    assert [{}, {}, {}] == [plan(planner("c"), records()) for planner in (Links, Ports, Gateways)]


@pytest.mark.parametrize(
    "key",
    ["", "*", "zz" * 16, "00" * 16, "ff" * 32, "not an id", elsewhere().docker_id, B.vrf.id.hex, "\0", "\ud800"],
    ids=ascii,
)
@pytest.mark.parametrize("planner", [Links("a"), Ports("a"), Gateways("a")], ids=lambda p: type(p).__name__)
def test_of_a_key_that_is_nobodys_on_this_host_nothing_is_wanted(planner: Any, key: str) -> None:
    assert planner.want(records(), Key(key)) is None


@pytest.mark.parametrize("planner", [Links("a"), Ports("a"), Gateways("a")], ids=lambda p: type(p).__name__)
def test_a_planner_wants_nothing_of_the_keys_of_what_is_gone(planner: Any) -> None:
    gone = records(ONE, TWO, A.docker_network, A.vrf)

    assert [] == list(planner.keys(gone))
    assert planner.want(gone, endpoint_key(ONE)) is None
    assert planner.want(gone, vrf_key(A.vrf)) is None


def test_an_endpoint_whose_network_has_not_arrived_gets_no_pair() -> None:
    seen = records()
    early = Records(seen.tables.set("Network", seen.networks.without(A.network.id)))

    assert {} == plan(Links("a"), early)
    assert plan(Ports("a"), early)[Key(A.vrf.id.hex)].mtu is None


def test_names_of_interfaces_fit_the_kernel() -> None:
    assert all(len(name) <= 15 for name in (ONE.port, ONE.peer, gateway_port(A.vrf)))


def test_the_bridge_is_always_wanted_and_no_other() -> None:
    planner = Bridges("moorage0", "netdev")

    assert {"moorage0": Bridge("moorage0", "netdev", "secure", "OpenFlow13")} == plan(planner, Records())
    assert planner.want(Records(), "br0") is None
