"""Published ports through Docker's calls: claimed, refused, replaced, released, handed on."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from netplugin.driver import EPHEMERAL
from netplugin.plan.claims import overlap
from tests.plugin import NETWORK, Plugin, asks, endpoint_id, plugin, port

OTHER = "cd" * 32
PROGRAM, REVOKE = "NetworkDriver.ProgramExternalConnectivity", "NetworkDriver.RevokeExternalConnectivity"


@pytest.fixture
def host() -> Iterator[Plugin]:
    """A plugin with a network, and an endpoint 1 on it at 10.1.0.11."""
    with plugin() as made:
        made.network()
        made.endpoint(1, "10.1.0.11/24")
        yield made


ONE = endpoint_id(1)


def only(endpoint: str, network: str = NETWORK) -> dict[str, str]:
    return {"NetworkID": network, "EndpointID": endpoint}


def test_a_port_is_published_on_all_addresses_of_the_endpoints_families(host: Plugin) -> None:
    assert ["80/tcp -> 0.0.0.0:8080"] == host.publish(ONE, port(80, 8080))

    host.network(OTHER, ["10.2.0.0/24", "fd00::/64"])
    dual = {"Address": "10.2.0.7/24", "AddressIPv6": "fd00::7/64", "MacAddress": ""}
    host.call("NetworkDriver.CreateEndpoint", **only(endpoint_id(2), OTHER), Interface=dual, Options={})

    assert ["80/tcp -> 0.0.0.0:80", "80/tcp -> [::]:80"] == host.publish(endpoint_id(2), port(80, 80), network=OTHER)


def test_the_same_again_changes_nothing_and_another_map_replaces_it(host: Plugin) -> None:
    host.publish(ONE, port(80, 8080), port(81))
    before = host.records.published

    host.publish(ONE, port(80, 8080), port(81))
    assert before is host.records.published

    assert ["80/tcp -> 0.0.0.0:8081"] == host.publish(ONE, port(80, 8081))
    assert [] == host.publish(ONE)


def test_a_port_that_another_container_has_is_refused_with_its_holder(host: Plugin) -> None:
    host.publish(ONE, port(80, 8080))
    two = host.endpoint(2, "10.1.0.12/24")

    text = host.refused(PROGRAM, asks(two, port(80, 8080, ip="127.0.0.1")))

    assert (
        "host port 8080/tcp of 127.0.0.1 is in use by the container with address 10.1.0.11 (see `moorage port`)" == text
    )
    assert [] == host.published(two)
    assert ["53/udp -> 0.0.0.0:8080"] == host.publish(two, port(53, 8080, protocol=17))


def test_a_refused_map_leaves_what_was_before(host: Plugin) -> None:
    host.publish(ONE, port(80, 8080))
    two = host.endpoint(2, "10.1.0.12/24")
    host.publish(two, port(80, 9000))

    host.refused(PROGRAM, asks(two, port(80, 9001), port(81, 8080)))

    assert ["80/tcp -> 0.0.0.0:9000"] == host.published(two)


def test_two_ports_of_one_container_cannot_share_one_of_the_host(host: Plugin) -> None:
    text = host.refused(PROGRAM, asks(ONE, port(80, 8080), port(81, 8080)))

    assert "host port 8080/tcp of 0.0.0.0 is in use by another -p of this container (80)" == text


def test_a_port_that_the_host_cannot_serve_is_refused_with_the_reason(host: Plugin) -> None:
    host.taken["tcp", "10.9.9.9", 80] = "10.9.9.9 is not an address of this host"

    assert "10.9.9.9 is not an address" in host.refused(PROGRAM, asks(ONE, port(80, 80, ip="10.9.9.9")))


def test_an_address_of_a_family_that_the_container_has_not_is_refused(host: Plugin) -> None:
    assert "has no IPv6 gateway" in host.refused(PROGRAM, asks(ONE, port(80, 80, ip="::1")))


def test_of_a_range_the_first_free_port_is_taken(host: Plugin) -> None:
    host.taken["tcp", "0.0.0.0", 8000] = "in use"
    two = host.endpoint(2, "10.1.0.12/24")
    host.publish(ONE, port(80, 8001))

    assert ["80/tcp -> 0.0.0.0:8002"] == host.publish(two, port(80, 8000, 8002))
    assert ["80/tcp -> 0.0.0.0:8002"] == host.publish(two, port(80, 8000, 8002))

    three = host.endpoint(3, "10.1.0.13/24")
    assert "no port of 8000 to 8002 is free" in host.refused(PROGRAM, asks(three, port(80, 8000, 8002)))


def test_without_a_port_of_the_host_one_of_the_ephemeral_is_chosen_and_kept(host: Plugin) -> None:
    made = host.publish(ONE, port(80), port(81))
    numbers = {int(text.rpartition(":")[2]) for text in made}

    assert 2 == len(numbers)
    assert numbers <= set(EPHEMERAL)
    assert made == host.publish(ONE, port(81), port(80))


def test_a_fixed_port_goes_before_those_left_to_us(host: Plugin) -> None:
    chosen = int(host.publish(ONE, port(80))[0].rpartition(":")[2])
    host.call(REVOKE, **only(ONE))

    made = host.publish(ONE, port(80), port(81, chosen))

    assert f"81/tcp -> 0.0.0.0:{chosen}" in made
    assert 2 == len(made)


@pytest.mark.parametrize("method", ["RevokeExternalConnectivity", "Leave", "DeleteEndpoint"])
def test_ports_go_with_the_first_call_that_says_so_however_often_it_comes(host: Plugin, method: str) -> None:
    host.publish(ONE, port(80, 8080))

    for _ in range(2):
        host.call(f"NetworkDriver.{method}", **only(ONE))

    assert 0 == len(host.records.published)
    host.settled()
    assert {} == host.actual()["reservations"]


def test_ports_go_with_the_network(host: Plugin) -> None:
    host.publish(ONE, port(80, 8080))

    host.call("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)

    assert 0 == len(host.records.published)


def test_ports_of_a_container_that_died_unseen_go_when_its_address_is_given_anew(host: Plugin) -> None:
    host.publish(ONE, port(80, 8080))

    two = host.endpoint(2, "10.1.0.11/24")

    assert ["80/tcp -> 0.0.0.0:8080"] == host.publish(two, port(80, 8080))


def test_a_port_whose_reservation_fails_is_given_back(host: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netplugin.driver.SYSTEM_WITHIN", 0.3)
    host.system["reservations"].broken = "taken meanwhile"

    text = host.refused(PROGRAM, asks(ONE, port(80, 8080)))

    assert "ports could not be published: taken meanwhile" == text
    assert 0 == len(host.records.published)


def test_ports_of_an_unknown_endpoint_are_refused_and_none_are_nothing(host: Plugin) -> None:
    assert "endpoint 000900090009" in host.refused(PROGRAM, asks(endpoint_id(9), port(80)))
    assert {} == host.call(PROGRAM, **asks(endpoint_id(9)))


@pytest.mark.parametrize("method", ["CreateEndpoint", "ProgramExternalConnectivity"])
def test_a_malformed_map_is_refused_and_leaves_nothing(host: Plugin, method: str) -> None:
    body: dict[str, Any] = asks(endpoint_id(2), port(80, 80, ip="web"))
    body["Interface"] = {"Address": "10.1.0.12/24"}

    assert "'web' is not an address" in host.refused(f"NetworkDriver.{method}", body)
    assert 1 == len(host.records.endpoints)


def joined(host: Plugin, number: int, network: str, address: str, sandbox: str = "/netns/1") -> str:
    made = host.endpoint(number, address, network)
    publishes = {"com.docker.network.portmap": [port(80, 8080)]}  # as every Join of such a container tells
    host.call("NetworkDriver.Join", **only(made, network), SandboxKey=sandbox, Options=publishes)
    return made


def test_ports_pass_to_the_containers_other_network_when_docker_says_nothing(host: Plugin) -> None:
    """PROTOCOL 2.8: Docker 29 after its own restart sends Leave alone."""
    host.network(OTHER, ["10.2.0.0/24"])
    a, b = joined(host, 2, NETWORK, "10.1.0.12/24"), joined(host, 3, OTHER, "10.2.0.12/24")
    joined(host, 4, OTHER, "10.2.0.13/24", "/netns/another")
    made = host.publish(a, port(80, 8080), port(81))

    for _ in range(2):
        host.call("NetworkDriver.Leave", **only(a))

    assert made == host.published(b)
    host.call("NetworkDriver.DeleteEndpoint", **only(a))
    assert made == host.published(b)
    assert made == host.publish(b, port(80, 8080), port(81), network=OTHER)  # should Docker say it after all
    host.call("NetworkDriver.Leave", **only(b, OTHER))
    assert 0 == len(host.records.published)


def test_a_network_without_a_gateway_inherits_no_ports(host: Plugin) -> None:
    host.network(OTHER, ["10.2.0.0/24"], internal=True)
    a = joined(host, 2, NETWORK, "10.1.0.12/24")
    joined(host, 3, OTHER, "10.2.0.12/24")
    host.publish(a, port(80, 8080))

    host.call("NetworkDriver.Leave", **only(a))

    assert 0 == len(host.records.published)


def test_a_network_that_outranks_another_takes_its_ports_over_without_a_revoke(host: Plugin) -> None:
    host.network(OTHER, ["10.2.0.0/24"])
    a, b = joined(host, 2, NETWORK, "10.1.0.12/24"), joined(host, 3, OTHER, "10.2.0.12/24")
    host.publish(a, port(80, 8080))

    assert ["80/tcp -> 0.0.0.0:8080"] == host.publish(b, port(80, 8080), network=OTHER)
    assert [] == host.published(a)


def test_the_sandbox_is_recorded_by_join(host: Plugin) -> None:
    joined(host, 2, NETWORK, "10.1.0.12/24", "/var/run/docker/netns/2")

    found = host.records.endpoints.one(docker_id=endpoint_id(2))
    assert found is not None
    assert "/var/run/docker/netns/2" == found.sandbox


def test_a_container_without_published_ports_costs_no_record_of_its_sandbox(host: Plugin) -> None:
    host.endpoint(2, "10.1.0.12/24")
    before = host.records

    host.call("NetworkDriver.Join", **only(endpoint_id(2)), SandboxKey="/netns/1", Options={})

    assert before is host.records


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("0.0.0.0", "127.0.0.1", True),
        ("10.0.0.1", "0.0.0.0", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("0.0.0.0", "::", False),
        ("::", "::1", True),
    ],
)
def test_addresses_overlap_as_sockets_do(one: str, other: str, *, expected: bool) -> None:
    assert expected == overlap(ip_address(one), ip_address(other))


def test_where_docker_publishes_join_names_no_gateway_and_leaves_the_way_out_to_it(host: Plugin) -> None:
    host.network(OTHER, ["10.2.0.0/24"], {"moorage.publish": "docker"})
    made = host.endpoint(2, "10.2.0.12/24", OTHER)
    answer = host.join(made, OTHER)

    assert {"InterfaceName"} == set(answer)
