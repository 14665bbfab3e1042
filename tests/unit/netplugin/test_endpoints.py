"""The network driver's decisions about endpoints."""

import ipaddress
from typing import Any

import pytest

from daemonkit.errors import BadRequest, NotFound
from netplugin import wire
from netplugin.endpoints import Created, Endpoints
from netplugin.networks import Networks
from netplugin.pools import Pools
from records.hosts import ensure_host
from records.memory import MemoryStore
from records.model import Use
from tests.plugin import NETWORK, endpoint_id

POOLS = ["10.1.0.0/24", "10.2.0.0/16", "fd00::/64"]


@pytest.fixture
def store() -> MemoryStore:
    """A store with a network of two IPv4 subnets and an IPv6 one, of our IPAM driver."""
    made = MemoryStore()
    ensure_host(made, "a", "netplugin", "0")
    pools = Pools(made, "a")
    data = []
    for cidr in POOLS:
        subnet = pools.request_pool(wire.RequestPool(pool=cidr, v6=":" in cidr))
        options = {wire.REQUEST_ADDRESS_TYPE: wire.GATEWAY_REQUEST}
        _, gateway = pools.request_address(wire.RequestAddress(pool_id=str(subnet.id), options=options))
        data.append(wire.IPAMData(pool=cidr, gateway=f"{gateway}/{subnet.cidr.prefixlen}"))
    request = wire.CreateNetwork(network_id=NETWORK, ipv4_data=data[:2], ipv6_data=data[2:])
    Networks(made, "a").create(request)
    return made


@pytest.fixture
def endpoints(store: MemoryStore) -> Endpoints:
    return Endpoints(store, "a")


def asked(number: int = 1, options: dict[str, Any] | None = None, **interface: Any) -> wire.CreateEndpoint:
    return wire.CreateEndpoint(
        network_id=NETWORK,
        endpoint_id=endpoint_id(number),
        interface=wire.Interface(**interface),
        options=options,
    )


def create(endpoints: Endpoints, number: int = 1, **interface: Any) -> Created:
    return endpoints.create(asked(number, **interface))


def refusal(endpoints: Endpoints, request: wire.CreateEndpoint) -> str:
    with pytest.raises(BadRequest) as caught:
        endpoints.create(request)
    return str(caught.value)


def only(number: int = 1, network: str = NETWORK) -> wire.EndpointOnly:
    return wire.EndpointOnly(network_id=network, endpoint_id=endpoint_id(number))


def test_an_endpoint_is_put_into_the_records(store: MemoryStore, endpoints: Endpoints) -> None:
    made = create(endpoints, address="10.1.0.7/24", address_ipv6="fd00::7/64")

    (found,) = store.snapshot().endpoints
    assert Created(found, chose_mac=True) == made
    assert ("10.1.0.7/24", "fd00::7/64") == (str(found.ipv4), str(found.ipv6))
    assert (False, None) == (found.up, found.problem)


def test_a_mac_is_made_from_the_address_so_that_it_comes_back_with_it(endpoints: Endpoints) -> None:
    assert "02:42:0a:01:00:07" == create(endpoints, address="10.1.0.7/24").endpoint.mac
    mac = create(endpoints, 2, address_ipv6="fd00::7/64").endpoint.mac
    endpoints.delete(only(2))
    assert mac == create(endpoints, 3, address_ipv6="fd00::7/64").endpoint.mac
    assert mac.startswith("02:42:")
    assert 17 == len(mac)


def test_a_mac_of_the_users_is_kept_and_not_answered(endpoints: Endpoints) -> None:
    made = create(endpoints, address="10.1.0.7/24", mac_address="02:00:00:00:00:AB")

    assert ("02:00:00:00:00:ab", False) == (made.endpoint.mac, made.chose_mac)


def test_the_prefix_length_is_the_subnets(endpoints: Endpoints) -> None:
    assert "10.2.0.7/16" == str(create(endpoints, address="10.2.0.7/32").endpoint.ipv4)


def test_the_same_call_again_changes_nothing(store: MemoryStore, endpoints: Endpoints) -> None:
    made = create(endpoints, address="10.1.0.7/24")
    before = store.snapshot()

    assert made == create(endpoints, address="10.1.0.7/24")
    assert before is store.snapshot()


@pytest.mark.parametrize(
    "other", [{"address": "10.1.0.8/24"}, {"address": "10.1.0.7", "mac_address": "02:00:00:00:00:01"}]
)
def test_another_call_for_the_same_endpoint_is_refused(endpoints: Endpoints, other: dict[str, Any]) -> None:
    create(endpoints, address="10.1.0.7/24")

    assert "endpoint 000100010001 exists with another address or network" == refusal(endpoints, asked(**other))


@pytest.mark.parametrize(
    ("interface", "text"),
    [
        ({"address": "10.3.0.1/24"}, "address 10.3.0.1 is in no subnet of the network (10.1.0.0/24, 10.2.0.0/16, fd00"),
        ({"address": "10.1.0.1/24"}, "address 10.1.0.1 is the gateway's"),
        ({"address": "10.1.0.0/24"}, "address 10.1.0.0 is the gateway's, or none that a machine can have in subnet"),
        ({"address": "10.1.0.255/24"}, "or none that a machine can have in subnet 10.1.0.0/24"),
        ({"address": "fd00::7/64"}, "address fd00::7 is not one of IPv4"),
        ({"address_ipv6": "10.1.0.7/24"}, "address 10.1.0.7 is not one of IPv6"),
        ({"address_ipv6": "fd00::1/64"}, "address fd00::1 is the gateway's"),
        ({"address": "web"}, "'web' is not an address"),
        ({"address": "10.1.0.7/24\n"}, "is not an address"),
        ({"address": "1" * 300}, "is not an address"),
        ({}, "the endpoint has no address: its network's IPAM driver gave none"),
        ({"address": "10.1.0.7", "mac_address": "web"}, "--mac-address 'web' is not a MAC address"),
        ({"address": "10.1.0.7", "mac_address": "02-00-00-00-00-01"}, "is not a MAC address"),
        ({"address": "10.1.0.7", "mac_address": "02:00:00:00:00:01\n"}, "is not a MAC address"),
        ({"address": "10.1.0.7", "mac_address": "02:00:00:00:00"}, "is not a MAC address"),
        ({"address": "10.1.0.7", "mac_address": "01:00:5e:00:00:01"}, "is a group address, which no machine can have"),
        ({"address": "10.1.0.7", "mac_address": "ff:ff:ff:ff:ff:ff"}, "is a group address"),
        ({"address": "10.1.0.7", "mac_address": "00:00:00:00:00:00"}, "is reserved: choose another"),
        ({"address": "10.1.0.7", "mac_address": "0E:00:00:00:00:FE"}, "is reserved: choose another"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused_and_leaves_nothing(
    store: MemoryStore, endpoints: Endpoints, interface: dict[str, Any], text: str
) -> None:
    assert text in refusal(endpoints, asked(**interface))
    assert 0 == len(store.snapshot().endpoints)


@pytest.mark.parametrize("number", ["", "x", "../" * 22, "AB" * 32, "ab" * 16, "ab" * 32 + "\n", "a" * 300], ids=ascii)
def test_an_id_that_is_not_dockers_names_no_interface(endpoints: Endpoints, number: str) -> None:
    request = wire.CreateEndpoint(network_id=NETWORK, endpoint_id=number, interface=wire.Interface(address="10.1.0.7"))

    assert f"endpoint id {number!r} is not one of Docker's" == refusal(endpoints, request)


def test_driver_options_of_an_endpoint_are_known_or_others(endpoints: Endpoints) -> None:
    text = refusal(endpoints, asked(options={"moorage.mtu": "1400"}, address="10.1.0.7/24"))

    assert "unknown option 'moorage.mtu'; known are " in text
    others = {"com.docker.network.endpoint.ifname": "foo0", "com.docker.network.endpoint.dnsservers": ["10.9.9.9"]}
    assert endpoints.create(asked(options=others, address="10.1.0.7/24"))


def test_a_container_that_may_speak_for_others_is_recorded_as_such(endpoints: Endpoints) -> None:
    assert endpoints.create(asked(options={"moorage.spoof": "allow"}, address="10.1.0.7/24")).endpoint.spoof
    assert not endpoints.create(asked(2, address="10.1.0.8/24")).endpoint.spoof


def test_an_endpoint_of_an_unknown_network_is_not_made(endpoints: Endpoints) -> None:
    request = wire.CreateEndpoint(network_id="cd" * 32, endpoint_id=endpoint_id(1))

    with pytest.raises(NotFound, match="network cdcdcdcdcdcd"):
        endpoints.create(request)


def test_an_address_given_anew_takes_it_from_the_container_that_died_unseen(
    store: MemoryStore, endpoints: Endpoints
) -> None:
    create(endpoints, 1, address="10.1.0.7/24")
    create(endpoints, 2, address_ipv6="fd00::7/64")
    create(endpoints, 3, address="10.1.0.8/24")

    create(endpoints, 4, address="10.1.0.7/24", address_ipv6="fd00::7/64")

    assert {endpoint_id(3), endpoint_id(4)} == {e.docker_id for e in store.snapshot().endpoints}


def test_an_endpoint_holds_its_address_even_if_it_was_given_back_behind_its_back(
    store: MemoryStore, endpoints: Endpoints
) -> None:
    create(endpoints, address="10.1.0.7/24", address_ipv6="fd00::7/64")

    held = {str(a.ip) for a in store.snapshot().addresses if a.use is Use.ENDPOINT}
    assert {"10.1.0.7", "fd00::7"} == held


def test_an_address_of_another_ipam_driver_is_not_ours_to_hold(store: MemoryStore, endpoints: Endpoints) -> None:
    foreign = wire.CreateNetwork(network_id="cd" * 32, ipv4_data=[wire.IPAMData(pool="172.20.0.0/16")])
    Networks(store, "a").create(foreign)
    before = len(store.snapshot().addresses)

    endpoints.create(
        wire.CreateEndpoint(
            network_id="cd" * 32, endpoint_id=endpoint_id(1), interface=wire.Interface(address="172.20.0.2/16")
        )
    )

    assert before == len(store.snapshot().addresses)


def join(endpoints: Endpoints, number: int = 1, network: str = NETWORK) -> Any:
    return endpoints.join(wire.Join(network_id=network, endpoint_id=endpoint_id(number), sandbox_key="/netns/1"))


@pytest.mark.parametrize(
    ("interface", "gateways"),
    [
        ({"address": "10.1.0.7"}, ("10.1.0.1", None)),
        ({"address": "10.2.0.7"}, ("10.2.0.1", None)),
        ({"address_ipv6": "fd00::7"}, (None, "fd00::1")),
        ({"address": "10.1.0.7", "address_ipv6": "fd00::7"}, ("10.1.0.1", "fd00::1")),
    ],
)
def test_join_tells_the_gateways_of_the_endpoints_own_subnets(
    endpoints: Endpoints, interface: dict[str, Any], gateways: tuple[str | None, str | None]
) -> None:
    create(endpoints, **interface)

    joined = join(endpoints)

    assert gateways == tuple(None if ip is None else str(ip) for ip in (joined.gateway, joined.gateway_ipv6))


def test_join_changes_no_record_and_may_come_twice(store: MemoryStore, endpoints: Endpoints) -> None:
    create(endpoints, address="10.1.0.7")
    before = store.snapshot()

    assert join(endpoints) == join(endpoints)
    assert before == store.snapshot()


def test_an_unknown_endpoint_cannot_join(endpoints: Endpoints) -> None:
    with pytest.raises(NotFound, match="endpoint 000100010001 "):
        join(endpoints)
    with pytest.raises(NotFound, match="network cdcdcdcdcdcd "):
        join(endpoints, network="cd" * 32)


def test_an_endpoint_of_another_network_cannot_join_this_one(store: MemoryStore, endpoints: Endpoints) -> None:
    create(endpoints, address="10.1.0.7")
    Networks(store, "a").create(
        wire.CreateNetwork(network_id="cd" * 32, ipv4_data=[wire.IPAMData(pool="172.20.0.0/16")])
    )

    with pytest.raises(NotFound, match="endpoint 000100010001 "):
        join(endpoints, network="cd" * 32)


def test_what_is_unknown_is_deleted_already(store: MemoryStore, endpoints: Endpoints) -> None:
    endpoints.delete(only())
    create(endpoints, address="10.1.0.7")
    endpoints.delete(only())
    endpoints.delete(only())

    assert 0 == len(store.snapshot().endpoints)


def test_openflow_numbers_differ_also_from_the_gateways(store: MemoryStore, endpoints: Endpoints) -> None:
    for number in range(100):
        create(endpoints, number, address=str(ipaddress.ip_address("10.2.1.0") + number))

    records = store.snapshot()
    assert 101 == len({e.ofport for e in records.endpoints} | {v.ofport for v in records.vrfs})
