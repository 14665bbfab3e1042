"""Which addresses and MACs endpoints get, and for whom they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from daemonkit.errors import BadRequest, Exhausted, InUse, PluginError
from netplugin import wire
from netplugin.endpoints import Created, Endpoints
from netplugin.forgotten import Known, missing
from netplugin.networks import Networks
from netplugin.pools import Pools
from records.hosts import ensure_host
from records.memory import MemoryStore
from records.model import Address, Endpoint, Use
from tests.plugin import NETWORK, endpoint_id

NULL = wire.IPAMData(pool="0.0.0.0/0", gateway="0.0.0.0/0")


class Host:
    """The driver's decisions of one host, with one network."""

    def __init__(self, *subnets: str, **options: str) -> None:
        """Have a network of our IPAM driver with `subnets`, or one whose `options` say where the driver chooses."""
        self.store = MemoryStore()
        ensure_host(self.store, "a", "netplugin", "0")
        self.pools, self.endpoints = Pools(self.store, "a"), Endpoints(self.store, "a")
        self.networks = Networks(self.store, "a")
        self.ids = {}
        data = []
        for cidr in subnets:
            pool = self.pools.request_pool(wire.RequestPool(pool=cidr, v6=":" in cidr))
            self.ids[cidr] = str(pool.id)
            asked = wire.RequestAddress(pool_id=str(pool.id), options={wire.REQUEST_ADDRESS_TYPE: wire.GATEWAY_REQUEST})
            _, gateway = self.pools.request_address(asked)
            data.append(wire.IPAMData(pool=cidr, gateway=f"{gateway}/{pool.cidr.prefixlen}"))
        generic = {f"moorage.{key}": value for key, value in options.items()}
        four = [one for one in data if ":" not in one.pool]
        self.networks.create(
            wire.CreateNetwork(
                network_id=NETWORK,
                options={wire.GENERIC: generic},
                ipv4_data=four if subnets else [NULL],
                ipv6_data=[one for one in data if ":" in one.pool],
            )
        )

    def start(self, number: int, *wanted: str, mac: str = "", **options: str) -> Endpoint:
        """Do as Docker does: ask for addresses (those `wanted`, else any), then make the endpoint."""
        given: dict[str, str] = {}
        for cidr, pool in self.ids.items():
            version = ":" in cidr
            text = next((w for w in wanted if (":" in w) == version), "")
            subnet, ip = self.pools.request_address(wire.RequestAddress(pool_id=pool, address=text))
            given["address_ipv6" if version else "address"] = f"{ip}/{subnet.cidr.prefixlen}"
        try:
            return self.create(number, mac=mac, **given, **options).endpoint
        except PluginError:
            self.release(*given.values())
            raise

    def create(
        self, number: int, *, mac: str = "", address: str = "", address_ipv6: str = "", **options: str
    ) -> Created:
        return self.endpoints.create(
            wire.CreateEndpoint(
                network_id=NETWORK,
                endpoint_id=endpoint_id(number),
                interface=wire.Interface(address=address, address_ipv6=address_ipv6, mac_address=mac),
                options={f"moorage.{key}": value for key, value in options.items()},
            )
        )

    def stop(self, endpoint: Endpoint) -> None:
        self.endpoints.delete(wire.EndpointOnly(network_id=NETWORK, endpoint_id=endpoint.docker_id))
        self.release(*(str(own) for own in (endpoint.ipv4, endpoint.ipv6) if own is not None))

    def release(self, *addresses: str) -> None:
        for cidr, pool in self.ids.items():
            for ip in addresses:
                if (":" in ip) == (":" in cidr):
                    self.pools.release_address(wire.ReleaseAddress(pool_id=pool, address=ip.partition("/")[0]))

    def left(self) -> set[tuple[str, str | None, bool]]:
        """Return endpoints and addresses, and for whom they are kept."""
        records = self.store.snapshot()
        endpoints = {(e.docker_id, e.mac, e.up) for e in records.endpoints}
        return endpoints | {(str(a.ip), a.sticky, a.free) for a in records.addresses}

    def held(self) -> dict[str, Address]:
        return {str(a.ip): a for a in self.store.snapshot().addresses if a.use is Use.ENDPOINT}


def refusal(kind: type[PluginError], host: Host, *arguments: Any, **options: Any) -> str:
    """Return what the user is told; nothing may be left behind."""
    before = host.left()
    with pytest.raises(kind) as caught:
        host.start(*arguments, **options)
    assert before == host.left()
    return str(caught.value)


@pytest.fixture
def asking() -> Host:
    """Docker asks our IPAM driver for addresses."""
    return Host("10.1.0.0/24", "fd00:1::/64")


@pytest.fixture
def choosing() -> Host:
    """The driver chooses addresses."""
    return Host(subnet="10.2.0.0/24", subnet6="fd00:2::/64")


# --- where Docker asks for the address first


def test_a_first_start_without_an_address_of_its_own_is_refused_with_both_cures(asking: Host) -> None:
    text = refusal(BadRequest, asking, 1, sticky="zoo1")

    assert "--ip ADDRESS" in text
    assert "--ipam-driver null -o moorage.subnet=CIDR" in text


def test_a_name_keeps_address_and_mac_that_its_user_chose(asking: Host) -> None:
    first = asking.start(1, "10.1.0.9", mac="0a:00:00:00:00:09", sticky="zoo1")
    asking.stop(first)
    kept = asking.held()["10.1.0.9"]

    again = asking.start(2, "10.1.0.9", sticky="ZOO1")

    assert (kept.sticky, kept.mac, kept.free) == ("zoo1", "0a:00:00:00:00:09", True)
    assert (again.ipv4, again.mac) == (first.ipv4, first.mac)
    assert not asking.held()["10.1.0.9"].free


def test_only_the_family_whose_address_the_user_chose_is_kept(asking: Host) -> None:
    first = asking.start(1, "10.1.0.9", sticky="zoo1")
    assert first.ipv6 is not None
    assert asking.held()[str(first.ipv6.ip)].sticky is None
    asking.stop(first)
    asking.start(2)  # another's IPv6 address
    assert asking.start(3, "10.1.0.9", "fd00:1::9", sticky="zoo1")
    assert asking.held()["fd00:1::9"].sticky == "zoo1"


def test_a_name_with_another_address_is_refused_with_the_one_it_has(asking: Host) -> None:
    asking.stop(asking.start(1, "10.1.0.9", "fd00:1::9", sticky="zoo1"))

    assert "start it with --ip 10.1.0.9" in refusal(BadRequest, asking, 2, "10.1.0.10", "fd00:1::9", sticky="zoo1")
    assert "start it with --ip6 fd00:1::9" in refusal(BadRequest, asking, 2, "10.1.0.9", sticky="zoo1")


def test_nobody_else_gets_what_is_kept(asking: Host) -> None:
    asking.stop(asking.start(1, "10.1.0.2", sticky="zoo1"))

    assert "kept for zoo1" in refusal(BadRequest, asking, 2, "10.1.0.2")
    assert "kept for zoo1" in refusal(BadRequest, asking, 2, "10.1.0.2", sticky="zoo2")
    for number in range(3, 20):
        other = asking.start(number)
        assert str(other.ipv4) != "10.1.0.2/24"
    assert asking.held()["10.1.0.2"].free


def test_while_a_container_carries_the_name_its_address_is_in_use(asking: Host) -> None:
    asking.start(1, "10.1.0.9", sticky="zoo1")

    assert "already in use as that of endpoint" in refusal(BadRequest, asking, 2, "10.1.0.9", sticky="zoo1")


def test_addresses_of_another_ipam_driver_cannot_be_kept() -> None:
    host = Host(subnet="10.9.0.0/24")
    host.networks.delete(NETWORK)
    foreign = [wire.IPAMData(pool="10.3.0.0/24", gateway="10.3.0.1/24")]
    host.networks.create(wire.CreateNetwork(network_id=NETWORK, ipv4_data=foreign))

    with pytest.raises(BadRequest, match="needs addresses that Moorage keeps"):
        host.create(1, address="10.3.0.7/24", sticky="zoo1")


def test_an_address_option_is_refused_where_docker_has_its_own(asking: Host) -> None:
    assert "here it is --ip" in refusal(BadRequest, asking, 1, ip="10.1.0.9")


def test_a_kept_address_that_never_became_an_endpoint_is_free_again_when_docker_has_forgotten_it(asking: Host) -> None:
    asking.stop(asking.start(1, "10.1.0.9", sticky="zoo1"))
    pool = asking.ids["10.1.0.0/24"]
    asking.pools.request_address(wire.RequestAddress(pool_id=pool, address="10.1.0.9"))  # and then dockerd was killed
    known = Known(networks={NETWORK: frozenset()}, subnets=frozenset())

    suspects = list(missing(asking.store.snapshot(), "a", known))

    assert ["10.1.0.9"] == [str(s.ip) for s in suspects if isinstance(s, Address)]


# --- where the driver chooses


def test_the_driver_chooses_addresses_of_both_families_and_tells_docker(choosing: Host) -> None:
    made = choosing.create(1)

    assert (made.chose_mac, made.chose_addresses) == (True, True)
    assert ("10.2.0.2/24", "fd00:2::2/64") == (str(made.endpoint.ipv4), str(made.endpoint.ipv6))
    assert made.endpoint.mac == "02:42:0a:02:00:02"
    assert choosing.create(1) == made  # the call again


def test_addresses_are_free_with_their_container_and_rest_before_they_come_again(choosing: Host) -> None:
    first = choosing.start(1)
    choosing.stop(first)

    assert choosing.held() == {}
    assert choosing.start(2).ipv4 != first.ipv4


def test_a_name_simply_has_its_address_again_where_the_driver_chooses(choosing: Host) -> None:
    first = choosing.start(1, sticky="db")
    choosing.stop(first)
    other = choosing.start(2)

    again = choosing.start(3, sticky="db")

    assert (again.ipv4, again.ipv6, again.mac) == (first.ipv4, first.ipv6, first.mac)
    assert other.ipv4 != first.ipv4


def test_a_name_is_carried_by_one_container_at_a_time(choosing: Host) -> None:
    choosing.start(1, sticky="db")

    text = refusal(InUse, choosing, 2, sticky="db")

    assert f"the name db (moorage.sticky) is in use by endpoint {endpoint_id(1)[:12]}" in text


def test_an_address_of_the_users_choice_is_given_or_refused(choosing: Host) -> None:
    made = choosing.start(1, ip="10.2.0.77", ip6="fd00:2::77")

    assert ("10.2.0.77/24", "fd00:2::77/64") == (str(made.ipv4), str(made.ipv6))
    assert "already in use" in refusal(BadRequest, choosing, 2, ip="10.2.0.77")
    assert "not one a machine can have" in refusal(BadRequest, choosing, 2, ip="10.3.0.1")
    assert "the gateway" in refusal(BadRequest, choosing, 2, ip="10.2.0.1")


def test_a_kept_address_is_no_bodys_choice_but_its_names(choosing: Host) -> None:
    choosing.stop(choosing.start(1, ip="10.2.0.77", sticky="db"))

    assert "kept for db" in refusal(BadRequest, choosing, 2, ip="10.2.0.77")
    assert "has address 10.2.0.77 on this network" in refusal(BadRequest, choosing, 2, ip="10.2.0.78", sticky="db")
    assert "10.2.0.77/24" == str(choosing.start(3, ip="10.2.0.77", sticky="db").ipv4)


def test_without_addresses_left_a_container_is_refused() -> None:
    host = Host(subnet="10.2.0.0/29", range="10.2.0.4/31")
    host.start(1)
    host.start(2)

    assert "no address is left in 10.2.0.4/31" in refusal(Exhausted, host, 3)


def test_what_is_kept_goes_with_the_network(choosing: Host) -> None:
    choosing.stop(choosing.start(1, sticky="db"))

    choosing.networks.delete(NETWORK)

    assert list(choosing.store.snapshot().addresses) == []


# --- MACs


def test_two_containers_of_a_network_cannot_have_one_mac_not_even_who_may_spoof(asking: Host) -> None:
    first = asking.start(1, mac="0a:00:00:00:00:09")

    text = refusal(InUse, asking, 2, mac="0A:00:00:00:00:09", spoof="allow")

    assert f"MAC address 0a:00:00:00:00:09 is in use by endpoint {first.docker_id[:12]}" in text
    assert "choose another with --mac-address" in text


# --- networks whose addresses the driver chooses


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "say -o moorage.subnet=CIDR"),
        ({"subnet": "fd00::/64"}, "is not one of IPv4"),
        ({"subnet": "web"}, "is not a subnet"),
        ({"subnet6": "10.2.0.0/24"}, "is not one of IPv6"),
        ({"subnet": "10.2.0.0/24", "range": "10.3.0.0/25"}, "moorage.range 10.3.0.0/25 does not lie in moorage.subnet"),
        ({"range": "10.3.0.0/25"}, "moorage.range needs moorage.subnet"),
        ({"subnet": "10.2.0.0/24", "router6": "fd00::1"}, "moorage.router6 needs moorage.subnet6"),
        ({"subnet": "10.2.0.0/24", "router": "10.3.0.1"}, "is not an address of subnet 10.2.0.0/24"),
        ({"subnet": "10.2.0.0/24", "router": "x"}, "is not an address"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options: dict[str, str], text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Host(**options)
    assert text in str(caught.value)


def test_the_gateway_is_the_first_address_or_the_users_choice_and_nobody_elses() -> None:
    (first,) = Host(subnet="10.2.0.0/24").store.snapshot().subnets
    chosen = Host(subnet="10.2.0.0/24", router="10.2.0.2")

    assert "10.2.0.1" == str(first.gateway)
    assert "10.2.0.2" == str(next(iter(chosen.store.snapshot().subnets)).gateway)
    assert ["10.2.0.1/24", "10.2.0.3/24"] == [str(chosen.start(n).ipv4) for n in (1, 2)]


def test_subnets_in_options_are_for_the_null_driver_only(asking: Host) -> None:
    data = [wire.IPAMData(pool="10.3.0.0/24", gateway="10.3.0.1/24")]
    options = {wire.GENERIC: {"moorage.subnet": "10.4.0.0/24"}}

    with pytest.raises(BadRequest, match="the option is --subnet"):
        asking.networks.create(wire.CreateNetwork(network_id="cd" * 32, options=options, ipv4_data=data))


def test_a_subnet_of_another_network_is_refused(choosing: Host) -> None:
    options = {wire.GENERIC: {"moorage.subnet": "10.2.0.0/16"}}

    with pytest.raises(BadRequest, match=r"overlaps 10\.2\.0\.0/24 of network"):
        choosing.networks.create(wire.CreateNetwork(network_id="cd" * 32, options=options, ipv4_data=[NULL]))


def test_a_network_without_a_gateway_gives_its_first_address_away() -> None:
    host = Host(subnet="10.2.0.0/24", gateway="none")

    assert "10.2.0.1/24" == str(host.start(1).ipv4)
