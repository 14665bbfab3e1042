import ipaddress

import msgspec
import pytest

from cli.tracing.facts import Attachment, Container
from cli.tracing.places import NoPlace, Place, Site, address_of, containers, resolve
from cli.tracing.wire import Listed
from records.memory import MemoryStore
from records.model import Endpoint
from records.writes import Insert
from tests.examples import everything, world
from tests.tracing import FakeHost

WEB = {"NetworkID": "w" * 64, "EndpointID": "e" * 64, "IPAddress": "10.1.0.10", "MacAddress": "02:42:0A:01:00:0A"}
PLAIN = {"NetworkID": "p" * 64, "EndpointID": "f" * 64, "IPAddress": "172.17.0.2"}


def listed(name: str, networks: dict[str, object], state: str = "running", mode: str = "web") -> Listed:
    """Return a container as Docker's `/containers/json` tells it."""
    told = {
        "Id": name * 32,
        "Names": [f"/other/{name}", f"/{name}"],
        "State": state,
        "HostConfig": {"NetworkMode": mode},
        "NetworkSettings": {"Networks": networks},
        "Created": 0,
    }
    return msgspec.convert(told, Listed)


def put_together(*given: Listed, ports: dict[str, int | None]) -> list[Container]:
    return list(containers(given, frozenset({"w" * 64}), ports, None))


def test_a_container_is_put_together_from_docker_and_the_switch() -> None:
    (found,) = put_together(listed("a1", {"web": WEB, "bridge": PLAIN}), ports={"mv-" + "e" * 12: 7})

    assert ("a1", ("bridge",), True) == (found.name, found.others, found.running)
    (at,) = found.attachments
    assert ("web", 7, "02:42:0a:01:00:0a") == (at.network, at.ofport, at.mac)
    assert (ipaddress.ip_address("10.1.0.10"), None) == (at.address(4), at.address(6))


def test_a_container_that_shares_anothers_network_stack_has_its_networks() -> None:
    one = listed("a1", {"web": WEB})
    _, side = put_together(one, listed("b1", {}, mode=f"container:{one.id}"), ports={})

    assert "web" == side.attachments[0].network
    assert side.attachments[0].ofport is None


def test_what_the_records_say_of_an_endpoint_is_told() -> None:
    store = MemoryStore()
    store.commit([Insert(record) for record in everything(world())])
    records = store.snapshot()
    (endpoint,) = (e for e in records.endpoints if isinstance(e, Endpoint))
    known = {**WEB, "EndpointID": endpoint.docker_id}
    one, two = containers(
        [listed("a1", {"web": known}), listed("b1", {"web": WEB})], frozenset({"w" * 64}), {}, records
    )

    assert (endpoint.up, endpoint.problem) == (one.attachments[0].up, one.attachments[0].problem)
    assert (None, "no record of it") == (two.attachments[0].up, two.attachments[0].problem)


@pytest.fixture
def site() -> Site:
    host = FakeHost()
    host.add("zoo1", "10.1.0.10", 1)
    host.add("zoo2", "10.1.0.11", 2)
    host.own = {"eth0": (ipaddress.ip_interface("10.77.0.11/24"),)}
    return host.site


def test_names_ids_and_addresses_are_resolved(site: Site) -> None:
    zoo1 = site.containers[0]

    assert zoo1 == resolve("zoo1", site, 4).container
    assert zoo1 == resolve(zoo1.id[:6], site, 4).container
    assert zoo1 == resolve("10.1.0.10", site, 4).container
    assert resolve("host", site, 4).host
    assert resolve("10.77.0.11", site, 4).host
    assert resolve("127.0.0.1", site, 4).host
    assert Place(address=ipaddress.ip_address("8.8.8.8")) == resolve("8.8.8.8", site, 4)
    assert Place(address=ipaddress.ip_address("2001:db8::1")) == resolve("outside", site, 6)
    assert Place(address=ipaddress.ip_address("fd00::1")) == resolve("[fd00::1]", site, 6)


@pytest.mark.parametrize(("name", "hint"), [("zoo11", "did you mean 'zoo1'"), ("redis", "docker ps"), ("", "docker")])
def test_an_unknown_name_is_refused_with_a_hint(site: Site, name: str, hint: str) -> None:
    with pytest.raises(NoPlace, match=hint):
        resolve(name, site, 4)


def test_an_id_that_fits_several_is_refused() -> None:
    host = FakeHost()
    host.containers = [Container("ab1", "x1", "running"), Container("ab2", "y1", "running")]

    with pytest.raises(NoPlace, match="several"):
        resolve("ab", host.site, 4)


def test_of_several_addresses_that_of_a_shared_network_is_taken() -> None:
    def at(network: str, address: str) -> Attachment:
        return Attachment("e", network, "mv", 1, "02:42", ipaddress.ip_address(address))

    me = Place(Container("a", "a1", "running", (at("two", "10.2.0.1"),)))
    both = Place(Container("b", "b1", "running", (at("one", "10.1.0.2"), at("two", "10.2.0.2"))))

    assert ipaddress.ip_address("10.2.0.2") == address_of(both, me, 4, None)
    assert ipaddress.ip_address("10.1.0.2") == address_of(both, me, 4, "one")
    assert address_of(both, me, 6, None) is None
