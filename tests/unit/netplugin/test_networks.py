"""The network driver's decisions about networks."""

import dataclasses
import ipaddress
from typing import Any

import pytest

from daemonkit.errors import BadRequest, NotFound, Unavailable
from netplugin import wire
from netplugin.networks import Networks, find
from netplugin.pools import Pools
from records.hosts import ensure_host
from records.memory import MemoryStore
from records.model import Endpoint, Gateway, Subnet
from records.writes import Insert
from tests.examples import world
from tests.plugin import NETWORK

GATEWAY = {"RequestAddressType": "com.docker.network.gateway"}
V4 = wire.IPAMData(address_space="LocalDefault", pool="172.20.0.0/16", gateway="172.20.0.1/16")
V6 = wire.IPAMData(address_space="LocalDefault", pool="fd00::/64", gateway="fd00::1/64")


@pytest.fixture
def networks(store: MemoryStore) -> Networks:
    return Networks(store, "a")


def asked(*data: wire.IPAMData, network: str = NETWORK, **more: Any) -> wire.CreateNetwork:
    """Return a CreateNetwork; `mtu="1400"` stands for `-o moorage.mtu=1400`, `internal=True` for --internal."""
    internal = {"com.docker.network.internal": True} if more.pop("internal", False) else {}
    generic = {f"moorage.{key}": value for key, value in more.items()}
    return wire.CreateNetwork(
        network_id=network,
        options={"com.docker.network.generic": generic} | internal,
        ipv4_data=[one for one in data if ":" not in one.pool],
        ipv6_data=[one for one in data if ":" in one.pool],
    )


def subnets(store: MemoryStore) -> list[Subnet]:
    return sorted(store.snapshot().subnets, key=lambda subnet: str(subnet.cidr))


def counts(store: MemoryStore) -> list[int]:
    tables = store.snapshot().tables
    return [len(tables[name]) for name in ("Network", "Docker_Network", "Vrf", "Subnet", "Address")]


def refusal(networks: Networks, request: wire.CreateNetwork) -> str:
    with pytest.raises(BadRequest) as caught:
        networks.create(request)
    return str(caught.value)


def test_a_network_has_a_segment_a_routing_domain_and_its_subnets(store: MemoryStore, networks: Networks) -> None:
    made = networks.create(asked(V4, V6, mtu="1400"))

    records = store.snapshot()
    network, vrf = records.networks.get(made.network), records.vrfs.get(made.vrf)
    assert network is not None
    assert vrf is not None
    assert (NETWORK, 1400, Gateway.NAT, False) == (network.name, network.mtu, network.gateway, network.internal)
    assert {"moorage.mtu": "1400"} == made.options
    assert ["172.20.0.1", "fd00::1"] == [str(subnet.gateway) for subnet in subnets(store)]
    assert {network.id} == {subnet.network for subnet in subnets(store)}


def test_a_subnet_of_ours_is_linked_and_one_of_another_ipam_driver_is_noted_as_such(
    store: MemoryStore, networks: Networks
) -> None:
    mine = Pools(store, "a").request_pool(wire.RequestPool(pool="10.1.0.0/24"))

    networks.create(asked(wire.IPAMData(pool="10.1.0.0/24", gateway="10.1.0.9/24"), V4))

    ours, other = subnets(store)
    assert (mine.id, True, "10.1.0.9") == (ours.id, ours.managed, str(ours.gateway))
    assert not other.managed


def test_one_name_is_one_network(store: MemoryStore, networks: Networks) -> None:
    networks.create(_named("a" * 64, "172.20.0.0/16"))

    text = refusal(networks, _named("b" * 64, "172.21.0.0/16"))

    assert "moorage.network=web is the name of another network of tenant default" == text
    networks.create(_named("c" * 64, "172.22.0.0/16", tenant="other"))
    assert [2, 2, 2, 2, 0] == counts(store)


def _named(network: str, pool: str, **more: str) -> wire.CreateNetwork:
    options = {"moorage.network": "web", "moorage.kind": "bridge"} | {f"moorage.{k}": v for k, v in more.items()}
    return wire.CreateNetwork(
        network_id=network, options={"com.docker.network.generic": options}, ipv4_data=[wire.IPAMData(pool=pool)]
    )


@pytest.mark.parametrize("more", [{"internal": True}, {"gateway": "none"}])
def test_a_network_without_a_way_out_has_no_gateway_even_if_docker_names_one(
    store: MemoryStore, networks: Networks, more: dict[str, Any]
) -> None:
    networks.create(asked(V4, **more))

    assert [None] == [subnet.gateway for subnet in subnets(store)]


def test_the_same_call_again_changes_nothing(store: MemoryStore, networks: Networks) -> None:
    request = asked(V4, V6)
    made = networks.create(request)
    before = store.snapshot()

    assert made == networks.create(request)
    assert before is store.snapshot()


@pytest.mark.parametrize("other", [asked(V4), asked(V6), asked(V4, V6, mtu="1400")], ids=["less", "v6", "options"])
def test_another_call_for_the_same_network_is_refused(networks: Networks, other: wire.CreateNetwork) -> None:
    networks.create(asked(V4, V6))

    assert "exists with other options or subnets" in refusal(networks, other)


def with_gateway(gateway: str) -> wire.IPAMData:
    return wire.IPAMData(pool="172.20.0.0/16", gateway=gateway)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (
            asked(),
            "a network needs a subnet, and the `null` IPAM driver gives none: use --ipam-driver moorage-net, or say",
        ),
        (asked(wire.IPAMData(pool="0.0.0.0/0")), "a network needs a subnet"),
        (asked(with_gateway("172.21.0.1/16")), "gateway 172.21.0.1 is not an address of subnet 172.20.0.0/16"),
        (asked(with_gateway("172.20.0.0/16")), "gateway 172.20.0.0 is not an address of subnet"),
        (asked(with_gateway("172.20.255.255")), "gateway 172.20.255.255 is not an address of subnet"),
        (asked(with_gateway("fd00::1/64")), "gateway fd00::1 is not an address of subnet 172.20.0.0/16"),
        (asked(with_gateway("$(reboot)")), "'$(reboot)' is not an address"),
        (asked(wire.IPAMData(pool="172.20.0.0/99")), "--subnet '172.20.0.0/99' is not a subnet"),
        (asked(V4, wire.IPAMData(pool="172.20.5.0/24")), "subnets 172.20.0.0/16 and 172.20.5.0/24 of one network over"),
        (asked(V4, V4), "subnets 172.20.0.0/16 and 172.20.0.0/16 of one network overlap"),
        (asked(V6, mtu="1279"), "an MTU of 1279 is too small for IPv6, which needs 1280 bytes"),
        (asked(V4, mtu="a"), "moorage.mtu='a'"),
        (asked(V4, network=""), "network id '' is not one of Docker's"),
        (asked(V4, network="../../etc"), "is not one of Docker's"),
        (asked(V4, network="a" * 300), "is not one of Docker's"),
        (asked(V4, network="ab\n"), "is not one of Docker's"),
    ],
)
def test_a_network_that_cannot_be_is_refused_and_leaves_nothing(
    store: MemoryStore, networks: Networks, request_: wire.CreateNetwork, text: str
) -> None:
    assert text in refusal(networks, request_)
    assert [0, 0, 0, 0, 0] == counts(store)


def test_a_subnet_of_another_ipam_driver_that_overlaps_is_refused_and_leaves_nothing(
    store: MemoryStore, networks: Networks
) -> None:
    networks.create(asked(V4))

    text = refusal(networks, asked(wire.IPAMData(pool="172.20.5.0/24"), V6, network="c" * 64))

    assert f"subnet 172.20.5.0/24 overlaps 172.20.0.0/16 of network {NETWORK[:12]} on this host" == text
    assert [1, 1, 1, 1, 0] == counts(store)


def test_a_subnet_that_overlaps_one_without_a_network_is_refused(store: MemoryStore, networks: Networks) -> None:
    Pools(store, "a").request_pool(wire.RequestPool(pool="172.20.0.0/24"))

    assert "subnet 172.20.0.0/16 overlaps 172.20.0.0/24 on this host" == refusal(networks, asked(V4))


def test_an_id_of_swarms_length_is_as_good_as_dockers(store: MemoryStore, networks: Networks) -> None:
    made = networks.create(asked(V4, network="ral21pehzoyce25k4762nmfqi"))

    assert made == find(store.snapshot(), "a", "ral21pehzoyce25k4762nmfqi")


def test_a_deleted_network_leaves_nothing_and_may_be_deleted_again(store: MemoryStore, networks: Networks) -> None:
    pools = Pools(store, "a")
    pool = pools.request_pool(wire.RequestPool(pool="10.1.0.0/24"))
    pools.request_address(wire.RequestAddress(pool_id=str(pool.id), options=GATEWAY))
    made = networks.create(asked(wire.IPAMData(pool="10.1.0.0/24", gateway="10.1.0.1/24"), V6))
    w = world()
    forgotten = dataclasses.replace(
        w.endpoint(2), docker_network=made.id, network=made.network, host=made.host, ipv4=None
    )
    store.commit([Insert(forgotten)])

    for _ in range(2):
        networks.delete(NETWORK)

    assert [0, 0, 0, 0, 0] == counts(store)
    assert [] == [e for e in store.snapshot().endpoints if isinstance(e, Endpoint)]


def test_networks_of_a_tenant_share_a_routing_domain_that_goes_with_the_last(
    store: MemoryStore, networks: Networks
) -> None:
    one, other = (
        networks.create(asked(data, network=network, isolation="tenant"))
        for data, network in ((V4, "a" * 64), (V6, "b" * 64))
    )
    alone = networks.create(asked(wire.IPAMData(pool="172.22.0.0/16"), network="c" * 64))
    theirs = networks.create(
        asked(wire.IPAMData(pool="172.23.0.0/16"), network="d" * 64, isolation="tenant", tenant="other")
    )

    assert one.vrf == other.vrf
    assert 3 == len({one.vrf, alone.vrf, theirs.vrf})

    networks.delete("a" * 64)
    assert store.snapshot().vrfs.get(other.vrf) is not None
    networks.delete("b" * 64)
    assert {alone.vrf, theirs.vrf} == {vrf.id for vrf in store.snapshot().vrfs}


def test_networks_that_the_switch_routes_between_have_one_mtu(store: MemoryStore, networks: Networks) -> None:
    networks.create(asked(V4, network="a" * 64, isolation="tenant", mtu="1400"))

    text = refusal(networks, asked(V6, network="b" * 64, isolation="tenant"))

    assert "an MTU of 1500 differs from the 1400 of network aaaaaaaaaaaa" in text
    assert "use -o moorage.mtu=1400" in text
    assert [1, 1, 1, 1, 0] == counts(store)


def test_after_it_is_gone_its_subnet_may_be_used_again(networks: Networks) -> None:
    networks.create(asked(V4))
    networks.delete(NETWORK)

    assert networks.create(asked(V4, network="c" * 64))


def test_what_another_network_has_stays(store: MemoryStore, networks: Networks) -> None:
    networks.create(asked(V4))
    networks.create(asked(V6, network="c" * 64))

    networks.delete(NETWORK)

    assert [1, 1, 1, 1, 0] == counts(store)
    assert [ipaddress.ip_network("fd00::/64")] == [subnet.cidr for subnet in subnets(store)]


def test_a_network_that_another_host_has_too_stays_for_it(store: MemoryStore, networks: Networks) -> None:
    made = networks.create(asked(V4))
    b = ensure_host(store, "b", "netplugin", "0")
    w = world()
    vrf = dataclasses.replace(w.vrf, host=b.id)
    theirs = dataclasses.replace(w.docker_network, host=b.id, network=made.network, vrf=vrf.id)
    store.commit([Insert(vrf), Insert(theirs)])

    networks.delete(NETWORK)

    assert [1, 1, 1, 1, 0] == counts(store)
    assert [theirs] == list(store.snapshot().docker_networks)


def test_a_network_that_is_not_in_the_records_is_named_with_what_to_do(store: MemoryStore) -> None:
    with pytest.raises(NotFound, match=r"network abababababab \(in Moorage's records of host a; remove and create it"):
        find(store.snapshot(), "a", NETWORK)


def test_without_a_record_of_this_host_there_is_nothing_to_delete_and_nothing_can_be_made() -> None:
    networks = Networks(MemoryStore(), "a")

    networks.delete(NETWORK)
    with pytest.raises(Unavailable, match="host a has none of its own yet"):
        networks.create(asked(V4))


def test_numbers_of_networks_and_their_gateways_differ(store: MemoryStore, networks: Networks) -> None:
    for number in range(20):
        networks.create(asked(wire.IPAMData(pool=f"10.{number}.0.0/16"), network=f"{number:064x}"))

    records = store.snapshot()
    assert 20 == len({n.segment for n in records.networks}) == len({v.zone for v in records.vrfs})
    assert 20 == len({v.ofport for v in records.vrfs})
