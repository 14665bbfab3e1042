"""The IPAM driver's decisions; which address comes next is tests/unit/netplugin/plan/test_addresses.py's."""

import dataclasses
import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from daemonkit.errors import BadRequest, Exhausted, NotFound, PluginError, Unavailable
from netplugin import wire
from netplugin.pools import GLOBAL, LOCAL, Pools, parse_address, parse_network
from records import errors
from records.memory import MemoryStore
from records.model import Address, Subnet, Use
from records.writes import Insert, Update
from tests.examples import world

GATEWAY = {"RequestAddressType": "com.docker.network.gateway"}


@pytest.fixture
def pools(store: MemoryStore) -> Pools:
    return Pools(store, "a")


def request(pools: Pools, pool: str = "10.1.0.0/24", **more: Any) -> Subnet:
    return pools.request_pool(wire.RequestPool(address_space=LOCAL, pool=pool, v6=":" in pool, **more))


def take(pools: Pools, subnet: Subnet, address: str = "", options: dict[str, str] | None = None) -> str:
    found = pools.request_address(wire.RequestAddress(pool_id=str(subnet.id), address=address, options=options))
    return str(found[1])


def give_back(pools: Pools, subnet: Subnet, address: str) -> None:
    pools.release_address(wire.ReleaseAddress(pool_id=str(subnet.id), address=address))


def held(store: MemoryStore) -> dict[str, Use]:
    addresses: Iterator[Address] = iter(store.snapshot().addresses)
    return {str(address.ip): address.use for address in addresses}


def refusal(kind: type[PluginError], work: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises(kind) as caught:
        work(*arguments, **more)
    return str(caught.value)


def test_a_pool_that_is_named_is_taken(store: MemoryStore, pools: Pools) -> None:
    subnet = request(pools)

    assert (ipaddress.ip_network("10.1.0.0/24"), None, None, True) == (
        subnet.cidr,
        subnet.range,
        subnet.network,
        subnet.managed,
    )
    assert [subnet] == list(store.snapshot().subnets)


def test_bits_of_a_host_in_a_subnet_are_dropped_as_docker_does(pools: Pools) -> None:
    assert ipaddress.ip_network("10.1.0.0/24") == request(pools, "10.1.0.77/24").cidr


def test_a_range_is_kept(pools: Pools) -> None:
    assert ipaddress.ip_network("10.1.0.128/25") == request(pools, sub_pool="10.1.0.128/25").range


@pytest.mark.parametrize("space", [LOCAL, GLOBAL, ""])
def test_our_address_spaces_are_taken_for_this_hosts(pools: Pools, space: str) -> None:
    assert pools.request_pool(wire.RequestPool(address_space=space, pool="10.1.0.0/24"))


def test_who_names_no_subnet_gets_one_that_is_free(pools: Pools) -> None:
    found = [str(pools.request_pool(wire.RequestPool()).cidr) for _ in range(2)]

    assert ["10.192.0.0/20", "10.192.16.0/20"] == found
    assert 64 == pools.request_pool(wire.RequestPool(v6=True)).cidr.prefixlen


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"pool": "10.1.0.0/33"}, "--subnet '10.1.0.0/33' is not a subnet"),
        ({"pool": "web"}, "--subnet 'web' is not a subnet"),
        ({"pool": "10.1.0.0/24; reboot"}, "is not a subnet"),
        ({"pool": "fe80::%eth0/64", "v6": True}, "is not a subnet"),
        ({"pool": "127.0.0.0/24"}, "--subnet 127.0.0.0/24 is not one that machines can have addresses of"),
        ({"pool": "224.0.0.0/24"}, "--subnet 224.0.0.0/24 is not one that machines can have addresses of"),
        ({"pool": "0.0.0.0/0"}, "--subnet 0.0.0.0/0 is not one that machines can have addresses of"),
        ({"pool": "ff02::/64", "v6": True}, "--subnet ff02::/64 is not one that machines can have addresses of"),
        ({"pool": "0.1.0.0/16"}, "--subnet 0.1.0.0/16 is not one that machines can have addresses of"),
        ({"pool": "0.0.0.0/1"}, "--subnet 0.0.0.0/1 is not one that machines can have addresses of"),
        ({"pool": "255.255.255.255/32"}, "--subnet 255.255.255.255/32 is not one that machines can have"),
        ({"pool": "::ffff:10.1.0.0/120", "v6": True}, "--subnet ::ffff:a01:0/120 is not one that machines can have"),
        ({"pool": "fe80::/64", "v6": True}, "--subnet fe80::/64 is link-local"),
        ({"pool": "fe00::/8", "v6": True}, "--subnet fe00::/8 is link-local"),
        ({"pool": "10.1.0.0/24", "v6": True}, "--subnet 10.1.0.0/24 was asked for as IPv6"),
        ({"pool": "fd00::/64"}, "--subnet fd00::/64 was asked for as IPv4"),
        ({"pool": "10.1.0.0/24", "sub_pool": "10.2.0.0/25"}, "--ip-range 10.2.0.0/25 does not lie in --subnet"),
        ({"pool": "10.1.0.0/24", "sub_pool": "10.1.0.0/23"}, "--ip-range 10.1.0.0/23 does not lie in --subnet"),
        ({"pool": "10.1.0.0/24", "sub_pool": "fd00::/120"}, "--ip-range fd00::/120 does not lie in --subnet"),
        ({"pool": "10.1.0.0/24", "sub_pool": "x"}, "--ip-range 'x' is not a subnet"),
        ({"sub_pool": "10.1.0.0/25"}, "--ip-range 10.1.0.0/25 needs a --subnet that holds it"),
        ({"address_space": "LocalDefault"}, "address space 'LocalDefault' is not ours: expected moorage-local"),
        ({"options": {"moorage.block": "26"}}, "unknown option 'moorage.block'; known are none"),
    ],
)
def test_a_pool_that_cannot_be_is_refused_in_words(
    store: MemoryStore, pools: Pools, asked: dict[str, Any], text: str
) -> None:
    assert text in refusal(BadRequest, pools.request_pool, wire.RequestPool(**asked))
    assert 0 == len(store.snapshot().subnets)


def test_options_of_others_are_nothing_to_us(pools: Pools) -> None:
    assert request(pools, options={"team": "a"})


def test_a_subnet_that_overlaps_one_of_a_network_is_refused_with_its_name(store: MemoryStore, pools: Pools) -> None:
    subnet, w = request(pools), world()
    store.commit(
        [Insert(w.tenant), Insert(w.network), Update(subnet, dataclasses.replace(subnet, network=w.network.id))]
    )

    text = refusal(BadRequest, request, pools, "10.1.0.128/25")

    assert "subnet 10.1.0.128/25 overlaps 10.1.0.0/24 of network web: choose another, or remove that network" == text


def test_a_subnet_that_overlaps_one_without_a_network_is_refused_with_what_may_help(pools: Pools) -> None:
    request(pools)

    assert "which a network that is being made" in refusal(BadRequest, request, pools)


def test_when_no_default_pool_is_left_it_says_what_to_do(pools: Pools) -> None:
    request(pools, "10.192.0.0/10")

    assert "name one with --subnet" in refusal(Exhausted, pools.request_pool, wire.RequestPool())


def test_a_pool_is_given_back_with_all_its_addresses_and_blocks(store: MemoryStore, pools: Pools) -> None:
    subnet = request(pools)
    for _ in range(20):
        take(pools, subnet)

    pools.release_pool(str(subnet.id))

    snapshot = store.snapshot()
    assert [0, 0, 0] == [len(snapshot.subnets), len(snapshot.blocks), len(snapshot.addresses)]


@pytest.mark.parametrize("pool", ["", "x", "00000000-0000-0000-0000-000000000000", "../../etc", "\0"], ids=ascii)
def test_a_pool_that_nobody_has_is_given_back_already_and_hands_out_nothing(pools: Pools, pool: str) -> None:
    pools.release_pool(pool)
    pools.release_address(wire.ReleaseAddress(pool_id=pool, address="10.1.0.1"))

    text = refusal(NotFound, pools.request_address, wire.RequestAddress(pool_id=pool))
    assert f"address pool {pool} does not exist" == text


def test_the_gateway_asked_for_is_taken_and_noted(store: MemoryStore, pools: Pools) -> None:
    subnet = request(pools)

    assert "10.1.0.254" == take(pools, subnet, "10.1.0.254", GATEWAY)
    assert {"10.1.0.254": Use.GATEWAY} == held(store)
    assert [ipaddress.ip_address("10.1.0.254")] == [s.gateway for s in store.snapshot().subnets]


def test_who_names_no_gateway_gets_the_lowest_address_even_with_a_range(pools: Pools) -> None:
    subnet = request(pools, sub_pool="10.1.0.128/25")

    assert "10.1.0.1" == take(pools, subnet, "", GATEWAY)
    assert "10.1.0.128" == take(pools, subnet)


def test_before_there_is_a_network_a_named_address_is_a_machine_of_the_users(store: MemoryStore, pools: Pools) -> None:
    subnet, w = request(pools), world()
    take(pools, subnet, "10.1.0.9")
    store.commit(
        [Insert(w.tenant), Insert(w.network), Update(subnet, dataclasses.replace(subnet, network=w.network.id))]
    )
    take(pools, subnet, "10.1.0.10")

    assert {"10.1.0.9": Use.AUXILIARY, "10.1.0.10": Use.ENDPOINT} == held(store)


def test_a_request_for_a_gateway_does_not_move_that_of_a_network_in_use(store: MemoryStore, pools: Pools) -> None:
    subnet, w = request(pools), world()
    take(pools, subnet, "10.1.0.1", GATEWAY)
    (seen,) = store.snapshot().subnets
    store.commit([Insert(w.tenant), Insert(w.network), Update(seen, dataclasses.replace(seen, network=w.network.id))])

    take(pools, subnet, "10.1.0.254", GATEWAY)

    assert [ipaddress.ip_address("10.1.0.1")] == [s.gateway for s in store.snapshot().subnets]


@pytest.mark.parametrize("options", [None, {}, {"com.docker.network.endpoint.macaddress": "02:42:e8:db:0b:03"}])
def test_an_address_of_our_choice_is_an_endpoints(
    store: MemoryStore, pools: Pools, options: dict[str, str] | None
) -> None:
    assert "10.1.0.1" == take(pools, request(pools), "", options)
    assert {"10.1.0.1": Use.ENDPOINT} == held(store)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("10.1.1.1", "address 10.1.1.1 is not one a machine can have in subnet 10.1.0.0/24"),
        ("10.1.0.0", "address 10.1.0.0 is not one a machine can have"),
        ("10.1.0.255", "address 10.1.0.255 is not one a machine can have"),
        ("fd00::1", "address fd00::1 is not one a machine can have"),
        ("web", "'web' is not an address"),
        ("10.1.0.1\n", "is not an address"),
        ("fe80::1%eth0", "is not an address: a zone means nothing here"),
    ],
)
def test_an_address_that_cannot_be_is_refused(pools: Pools, address: str, text: str) -> None:
    assert text in refusal(BadRequest, take, pools, request(pools), address)


def test_an_address_that_is_taken_is_refused_with_what_it_is_taken_for(store: MemoryStore, pools: Pools) -> None:
    subnet = request(pools)
    take(pools, subnet, "10.1.0.1", GATEWAY)
    take(pools, subnet, "10.1.0.2")
    take(pools, subnet)

    for address, holder in {
        "10.1.0.1": "already in use as the gateway of 10.1.0.0/24",
        "10.1.0.2": "already in use as an auxiliary address of the network (--aux-address)",
        "10.1.0.3": "already in use as that of a container that is starting or stopping",
    }.items():
        assert holder in refusal(BadRequest, take, pools, subnet, address)


@pytest.mark.parametrize(
    ("pool", "more", "what"),
    [("10.1.0.0/30", {}, "subnet 10.1.0.0/30"), ("10.1.0.0/24", {"sub_pool": "10.1.0.8/31"}, "range 10.1.0.8/31 of")],
)
def test_a_full_pool_is_a_clear_error(pools: Pools, pool: str, more: dict[str, str], what: str) -> None:
    subnet = request(pools, pool, **more)
    take(pools, subnet)
    take(pools, subnet)

    text = refusal(Exhausted, take, pools, subnet)

    assert f"no address is left in {what}" in text
    assert "remove containers, or make a larger network" in text


def test_an_address_is_given_back_once_and_the_second_time_is_no_error(store: MemoryStore, pools: Pools) -> None:
    subnet = request(pools)
    address = take(pools, subnet)

    for _ in range(2):
        give_back(pools, subnet, address)

    assert {} == held(store)
    give_back(pools, subnet, "")
    give_back(pools, subnet, "192.0.2.1")


def test_while_the_database_is_away_nothing_is_promised(store: MemoryStore, pools: Pools) -> None:
    subnet = request(pools)
    store.cut()

    with pytest.raises(errors.Unavailable, match="records unavailable"):
        take(pools, subnet)
    store.mend()
    assert "10.1.0.1" == take(pools, subnet)


def test_a_host_that_was_never_in_the_records_says_so() -> None:
    store = MemoryStore()
    subnet = request(Pools(store, "a"))

    assert "records unavailable: host a has none of its own yet" in refusal(
        Unavailable, take, Pools(store, "a"), subnet
    )


def test_addresses_are_read_with_or_without_a_prefix_length() -> None:
    assert ipaddress.ip_address("10.1.0.1") == parse_address("10.1.0.1/24") == parse_address("10.1.0.1")
    assert ipaddress.ip_address("fd00::1") == parse_address("FD00:0::1/64")
    assert ipaddress.ip_network("fd00::/64") == parse_network("fd00::1/64", "--subnet")
