"""Records that Docker has forgotten; time is only the bound `after`, which is none or for ever here."""

import threading
from collections.abc import Callable, Iterator

import pytest

from daemonkit.docker import DockerAway
from netplugin.forgotten import Forgotten, Known, missing
from records.memory import MemoryStore
from records.model import Address, Use
from tests.plugin import NETWORK, Plugin, endpoint_id, plugin

ALL = Known({NETWORK: frozenset({endpoint_id(1)})}, frozenset({"10.1.0.0/24"}))
NOTHING = Known({}, frozenset())


@pytest.fixture
def host() -> Iterator[Plugin]:
    """A host with a network and a container on it."""
    with plugin() as made:
        (pool,) = made.network()
        made.run(1, pool)
        yield made


def suspects(host: Plugin, known: Known) -> list[str]:
    return [record.TABLE for record in missing(host.records, "a", known)]


def forgotten(store: MemoryStore, look: Callable[[], Known], after: float = 0.0) -> Forgotten:
    return Forgotten(store, "a", look, after)


def test_what_docker_knows_is_not_missing(host: Plugin) -> None:
    assert [] == suspects(host, ALL)


def test_a_network_that_docker_does_not_know_is_missing_with_its_endpoints(host: Plugin) -> None:
    assert ["Docker_Network", "Endpoint"] == suspects(host, NOTHING)


def test_an_endpoint_that_is_on_no_container_is_missing(host: Plugin) -> None:
    known = Known({NETWORK: frozenset({endpoint_id(2)})}, frozenset())

    assert ["Endpoint"] == suspects(host, known)


def test_an_address_that_was_taken_for_an_endpoint_that_never_came_is_missing(host: Plugin) -> None:
    (subnet,) = host.records.subnets
    host.address(str(subnet.id))

    (lost,) = missing(host.records, "a", ALL)

    assert "10.1.0.3" == str(getattr(lost, "ip", None))


def test_gateways_and_auxiliary_addresses_have_no_endpoint_and_are_not_missing(host: Plugin) -> None:
    pool, _ = host.pool("10.2.0.0/24")
    gateway = host.address(pool, gateway=True)
    host.address(pool, "10.2.0.9")
    data = [{"AddressSpace": "moorage-local", "Pool": "10.2.0.0/24", "Gateway": gateway}]
    host.call("NetworkDriver.CreateNetwork", NetworkID="cd" * 32, IPv4Data=data, IPv6Data=None)

    assert [] == suspects(host, Known({**ALL.networks, "cd" * 32: frozenset()}, frozenset()))


def test_a_pool_without_a_network_is_missing_unless_a_network_of_another_driver_has_it(host: Plugin) -> None:
    pool, _ = host.pool("10.2.0.0/24")
    host.address(pool)

    assert ["Subnet"] == suspects(host, ALL)
    assert [] == suspects(host, Known(ALL.networks, frozenset({"10.2.0.0/24"})))


def test_an_address_that_another_driver_gave_back_unheard_is_missing_and_its_others_are_not(host: Plugin) -> None:
    """`docker network create -d bridge --ipam-driver moorage-net`: by name or not, no endpoint of ours has them."""
    pool, _ = host.pool("10.2.0.0/24")
    host.address(pool, gateway=True)
    for ip in ("", "10.2.0.9", "10.2.0.10", ""):
        host.address(pool, ip)
    held = {"10.2.0.0/24": frozenset({"10.2.0.2", "10.2.0.9"})}
    known = Known(ALL.networks, frozenset({"10.1.0.0/24", "10.2.0.0/24"}), held)

    found = {str(address.ip) for address in missing(host.records, "a", known) if isinstance(address, Address)}
    forgotten(host.store, lambda: known).look()

    assert {"10.2.0.3", "10.2.0.10"} == found
    assert {"10.1.0.1", "10.1.0.2", "10.2.0.1", "10.2.0.2", "10.2.0.9"} == {
        str(address.ip) for address in host.records.addresses
    }


def test_a_host_without_a_record_misses_nothing(host: Plugin) -> None:
    assert [] == list(missing(host.records, "b", NOTHING))


def test_what_is_missing_is_removed_with_all_that_hangs_on_it(host: Plugin) -> None:
    host.pool("10.2.0.0/24")

    forgotten(host.store, lambda: NOTHING).look()

    assert {} == host.left()


def test_an_endpoint_that_is_removed_gives_its_address_back(host: Plugin) -> None:
    forgotten(host.store, lambda: Known({NETWORK: frozenset()}, frozenset())).look()

    assert [Use.GATEWAY] == [address.use for address in host.records.addresses]
    assert [] == list(host.records.endpoints)


def test_an_address_that_is_removed_may_be_had_by_name_again(host: Plugin) -> None:
    (subnet,) = host.records.subnets
    host.address(str(subnet.id), "10.1.0.50")

    forgotten(host.store, lambda: ALL).look()

    assert "10.1.0.50/24" == host.address(str(subnet.id), "10.1.0.50")


def test_what_is_missing_for_less_than_the_bound_stays(host: Plugin) -> None:
    looking = forgotten(host.store, lambda: NOTHING, after=3600.0)

    looking.look()
    looking.look()

    assert {"Network": 1, "Subnet": 1, "Block": 1, "Address": 2, "Vrf": 1, "Docker_Network": 1, "Endpoint": 1} == (
        host.left()
    )


def test_what_came_back_in_between_begins_anew(host: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    now, answers = [0.0], [NOTHING, ALL, NOTHING, NOTHING]
    monkeypatch.setattr("netplugin.forgotten.time.monotonic", lambda: now[0])
    looking = forgotten(host.store, lambda: answers.pop(0), after=30.0)

    left = []
    for now[0] in (0.0, 20.0, 40.0, 69.0):
        looking.look()
        left.append(len(host.left()))
    answers.append(NOTHING)
    now[0] = 70.0
    looking.look()

    assert [7, 7, 7, 7] == left
    assert {} == host.left()


def test_an_answer_that_does_not_come_starts_the_time_anew_and_ends_nothing(host: Plugin) -> None:
    looks = 0
    seen = threading.Event()

    def look() -> Known:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise DockerAway("GET /networks: no such file")
        seen.set()
        return ALL

    looking = forgotten(host.store, look, after=0.03)
    looking.start()
    try:
        assert seen.wait(5)
    finally:
        looking.stop()

    assert 1 == len(host.records.endpoints)


def test_a_database_that_is_away_ends_nothing(host: Plugin) -> None:
    looks, empty = threading.Semaphore(0), threading.Event()

    def look() -> Known:
        looks.release()
        return NOTHING

    host.store.watch(lambda _: None if host.left() else empty.set())
    host.store.cut()
    looking = forgotten(host.store, look, after=0.03)
    looking.start()
    try:
        assert all(looks.acquire(timeout=5) for _ in range(6))
        assert not empty.is_set()
        host.store.mend()
        assert empty.wait(5)
    finally:
        looking.stop()
