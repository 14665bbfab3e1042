"""Docker calls in parallel, at boot from as many threads as there are containers: nothing is given twice or lost."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.plugin import NETWORK, Plugin, endpoint_id, plugin

THREADS = 12


@pytest.fixture
def host() -> Iterator[Plugin]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # seconds: threads meet in the middle of things
    with plugin() as made:
        yield made
    sys.setswitchinterval(before)


def race(work: Callable[[int], object]) -> None:
    """Run `work(n)` in many threads that begin at once; none may fail or hang."""
    start, errors = threading.Barrier(THREADS), list[BaseException]()

    def run(number: int) -> None:
        try:
            start.wait(5)
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert [] == errors


def both(answers: Sequence[dict[str, object]]) -> Counter[bool]:
    return Counter("Err" not in answer for answer in answers)


def test_no_address_is_given_twice_and_all_are_given(host: Plugin) -> None:
    pool, _ = host.pool("10.1.0.0/26")  # 62 addresses
    given: list[str] = []

    race(lambda _: given.extend(host.address(pool) for _ in range(5)))

    assert 60 == len(given) == len(set(given)) == len(list(host.records.addresses))
    host.address(pool)
    host.address(pool)
    assert "no address is left" in host.refused("IpamDriver.RequestAddress", {"PoolID": pool})


def test_of_those_who_want_one_address_one_gets_it(host: Plugin) -> None:
    pool, _ = host.pool()
    answers: list[dict[str, object]] = []

    race(lambda _: answers.append(host.post("IpamDriver.RequestAddress", {"PoolID": pool, "Address": "10.1.0.9"})))

    assert {True: 1, False: THREADS - 1} == both(answers)


def test_addresses_that_come_and_go_at_once_are_all_accounted_for(host: Plugin) -> None:
    pool, _ = host.pool()

    def work(_: int) -> None:
        for _ in range(4):
            address = host.address(pool).partition("/")[0]
            host.call("IpamDriver.ReleaseAddress", PoolID=pool, Address=address)

    race(work)

    assert [] == list(host.records.addresses)


def test_default_pools_do_not_overlap(host: Plugin) -> None:
    race(lambda _: host.call("IpamDriver.RequestPool", Pool="", V6=False))

    cidrs = [subnet.cidr for subnet in host.records.subnets]
    assert THREADS == len(cidrs)
    assert not any(one.overlaps(other) for one in cidrs for other in cidrs if one is not other)


@pytest.mark.parametrize("call", ["IpamDriver.RequestPool", "NetworkDriver.CreateNetwork"])
def test_of_subnets_that_overlap_one_is_taken(host: Plugin, call: str) -> None:
    answers: list[dict[str, object]] = []

    def work(number: int) -> None:
        cidr = "10.1.0.0/24" if number % 2 else f"10.1.0.0/{25 + number // 2}"  # each overlaps all others
        body = {"Pool": cidr} if "Pool" in call else {"NetworkID": f"{number:064x}", "IPv4Data": [{"Pool": cidr}]}
        answers.append(host.post(call, body))

    race(work)

    assert {True: 1, False: THREADS - 1} == both(answers)
    assert 1 == len(list(host.records.subnets))


def test_networks_that_are_made_at_once_get_numbers_of_their_own(host: Plugin) -> None:
    race(lambda number: host.network(f"{number:064x}", [f"10.{number}.0.0/24"]))
    host.settled()

    records = host.records
    assert THREADS == len({n.segment for n in records.networks}) == len({v.zone for v in records.vrfs})
    assert THREADS == len({v.ofport for v in records.vrfs}) == len(host.actual()["gateways"])
    assert host.planned() == host.actual()


def test_networks_of_a_tenant_that_come_and_go_at_once_share_one_routing_domain(host: Plugin) -> None:
    shared = {"moorage.isolation": "tenant"}
    race(lambda number: host.network(f"{number:064x}", [f"10.{number}.0.0/24"], shared))
    host.settled()

    (gateway,) = host.actual()["gateways"].values()
    assert 1 == len(list(host.records.vrfs))
    assert {f"10.{number}.0.1" for number in range(THREADS)} == {str(own.ip) for own in gateway.addresses}
    assert host.planned() == host.actual()

    race(lambda number: host.call("NetworkDriver.DeleteNetwork", NetworkID=f"{number:064x}"))
    host.settled()

    assert {} == host.left()
    assert host.planned() == host.actual()


def test_one_network_asked_for_by_many_is_made_once(host: Plugin) -> None:
    body = {"NetworkID": NETWORK, "IPv4Data": [{"Pool": "10.1.0.0/24", "Gateway": "10.1.0.1/24"}]}

    race(lambda _: host.call("NetworkDriver.CreateNetwork", **body))

    assert {"Network": 1, "Subnet": 1, "Vrf": 1, "Docker_Network": 1} == host.left()


def test_containers_that_start_at_once_have_addresses_numbers_and_links_of_their_own(host: Plugin) -> None:
    (pool,) = host.network()

    race(lambda number: host.run(number, pool))
    host.settled()

    endpoints = list(host.records.endpoints)
    assert THREADS == len({e.ipv4 for e in endpoints}) == len({e.mac for e in endpoints})
    assert THREADS == len({e.ofport for e in endpoints}) == len(host.actual()["links"])
    assert host.planned() == host.actual()


def test_one_endpoint_asked_for_by_many_is_made_once(host: Plugin) -> None:
    (pool,) = host.network()
    address = host.address(pool)

    race(lambda _: host.endpoint(1, address))

    assert 1 == len(list(host.records.endpoints))


def test_a_network_that_is_deleted_while_containers_start_leaves_nothing(host: Plugin) -> None:
    (pool,) = host.network()

    def work(number: int) -> None:
        if number == THREADS // 2:
            host.call("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)
            return
        taken = host.post("IpamDriver.RequestAddress", {"PoolID": pool})
        interface = {"Address": taken.get("Address", "10.1.0.2/24")}
        body = {"NetworkID": NETWORK, "EndpointID": endpoint_id(number), "Interface": interface}
        host.post("NetworkDriver.CreateEndpoint", body)

    race(work)
    host.settled()

    assert {} == host.left()
    assert host.planned() == host.actual()


def test_containers_that_start_and_stop_while_the_database_comes_and_goes_end_as_the_records_say(host: Plugin) -> None:
    (pool,) = host.network()

    def work(number: int) -> None:
        for _ in range(3):
            if number == 0:
                host.store.cut()
                host.store.mend()
                continue
            taken = host.post("IpamDriver.RequestAddress", {"PoolID": pool})
            if "Err" in taken:
                continue
            only = {"NetworkID": NETWORK, "EndpointID": endpoint_id(number)}
            host.post("NetworkDriver.CreateEndpoint", only | {"Interface": {"Address": taken["Address"]}})
            host.post("NetworkDriver.Join", only | {"SandboxKey": "/netns/1"})
            host.post("NetworkDriver.DeleteEndpoint", only)
            host.post("IpamDriver.ReleaseAddress", {"PoolID": pool, "Address": taken["Address"].partition("/")[0]})

    race(work)
    host.settled()

    assert host.planned() == host.actual()
