"""What the network driver's calls wait for, and what becomes of them when it does not come."""

import time

import pytest

from records.memory import MemoryStore
from tests.plugin import NETWORK, SUBNET, Plugin, controller, endpoint_id, plugin

CREATE = {
    "NetworkID": NETWORK,
    "Options": {},
    "IPv4Data": [{"AddressSpace": "LocalDefault", "Pool": SUBNET, "Gateway": "10.1.0.1/24"}],
}
JOIN = {"NetworkID": NETWORK, "EndpointID": endpoint_id(1), "SandboxKey": "/netns/1", "Options": {}}


def with_endpoint(made: Plugin) -> None:
    made.call("NetworkDriver.CreateNetwork", **CREATE)
    made.endpoint(1, "10.1.0.2/24")


def test_a_network_that_is_made_has_its_gateway_and_its_rules() -> None:
    with plugin() as made:
        made.call("NetworkDriver.CreateNetwork", **CREATE)

        assert made.planned() == made.actual()
        assert ["10.1.0.1/24"] == [str(a) for link in made.actual()["gateways"].values() for a in link.addresses]
        assert ["ipv4"] == list(made.actual()["firewall"])


@pytest.mark.parametrize("layer", ["ports", "gateways", "firewall"])
def test_a_network_whose_parts_cannot_be_made_fails_with_the_reason_and_leaves_nothing(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netplugin.driver.SYSTEM_WITHIN", 0.05)
    with plugin() as made:
        made.system[layer].broken = "Operation not permitted"

        text = made.refused("NetworkDriver.CreateNetwork", CREATE)

        assert "network abababababab could not be made: Operation not permitted" == text
        assert {} == made.left()
        made.system[layer].broken = None
        made.loop.poke()
        made.swept()
        assert made.planned() == made.actual()


def test_a_repeated_create_that_fails_leaves_the_network_that_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netplugin.driver.SYSTEM_WITHIN", 0.05)
    with plugin() as made:
        made.call("NetworkDriver.CreateNetwork", **CREATE)
        made.system["firewall"].there.clear()
        made.system["firewall"].broken = "Operation not permitted"

        assert "Operation not permitted" in made.refused("NetworkDriver.CreateNetwork", CREATE)
        assert 1 == len(made.records.docker_networks)


@pytest.mark.parametrize("layer", ["links", "ports"])
def test_an_endpoint_whose_parts_cannot_be_made_fails_its_join_with_the_reason(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netplugin.driver.SYSTEM_WITHIN", 0.05)
    with plugin() as made:
        with_endpoint(made)
        made.settled()
        made.call("NetworkDriver.DeleteEndpoint", NetworkID=NETWORK, EndpointID=endpoint_id(1))
        made.settled()
        made.system[layer].broken = "no space left on device"
        made.endpoint(1, "10.1.0.2/24")

        text = made.refused("NetworkDriver.Join", JOIN)

        assert "endpoint 000100010001 could not be made: no space left on device" == text
        made.system[layer].broken = None
        made.settled((layer, endpoint_id(1)))
        assert made.join(endpoint_id(1))


def test_leave_takes_the_link_away_and_join_brings_it_back() -> None:
    with plugin() as made:
        with_endpoint(made)
        made.join(endpoint_id(1))

        made.call("NetworkDriver.Leave", NetworkID=NETWORK, EndpointID=endpoint_id(1))
        assert endpoint_id(1) not in made.actual()["links"]
        made.join(endpoint_id(1))
        assert endpoint_id(1) in made.actual()["links"]


def test_who_has_left_is_forgotten_with_its_endpoint() -> None:
    with plugin() as made:
        with_endpoint(made)
        for key in (endpoint_id(1), endpoint_id(9)):
            made.call("NetworkDriver.Leave", NetworkID=NETWORK, EndpointID=key)
        assert {endpoint_id(1)} == made.without_container

        made.call("NetworkDriver.DeleteEndpoint", NetworkID=NETWORK, EndpointID=endpoint_id(1))
        assert set() == made.without_container


def test_leave_does_not_wait_for_a_link_that_cannot_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netplugin.driver.LEAVE_WITHIN", 0.01)
    with plugin() as made:
        with_endpoint(made)
        made.join(endpoint_id(1))
        made.system["links"].broken = "not now"

        made.call("NetworkDriver.Leave", NetworkID=NETWORK, EndpointID=endpoint_id(1))


def test_a_fault_of_one_endpoint_is_not_anothers() -> None:
    with plugin() as made:
        with_endpoint(made)
        made.settled()
        made.system["firewall"].broken = "no iptables here"
        made.loop.poke([("firewall", "ipv4")])

        assert made.join(endpoint_id(1))


def test_join_answers_as_soon_as_the_controller_has_put_its_flows_in() -> None:
    store = MemoryStore()
    with plugin(store=store, join_within=20.0) as made, controller(store):
        with_endpoint(made)

        began = time.monotonic()
        made.join(endpoint_id(1))

        assert time.monotonic() - began < 5
        assert 0 == made.unconfirmed


@pytest.mark.parametrize("join", ["lenient", "strict"])
def test_flows_that_are_known_to_fail_fail_the_join_with_the_reason(join: str) -> None:
    store = MemoryStore()
    with plugin(store=store, join=join, join_within=20.0) as made, controller(store, "table 3 is full"):
        with_endpoint(made)

        assert "endpoint 000100010001 has no flows: table 3 is full" == made.refused("NetworkDriver.Join", JOIN)


def test_without_a_controller_a_lenient_join_succeeds_and_is_counted() -> None:
    with plugin(join_within=0.01) as made:
        with_endpoint(made)

        made.join(endpoint_id(1))

        assert 1 == made.unconfirmed


def test_without_a_controller_a_strict_join_fails_and_says_what_to_look_at() -> None:
    with plugin(join="strict", join_within=0.01) as made:
        with_endpoint(made)

        text = made.refused("NetworkDriver.Join", JOIN)

        assert "the controller has not confirmed its flows within 0.01 s (is it running?)" in text


def test_while_the_database_is_away_calls_that_change_something_say_so_and_others_go_on() -> None:
    with plugin() as made:
        with_endpoint(made)
        made.join(endpoint_id(1))
        made.store.cut("records unavailable: no leader among unix:/run/moorage/db.sock")

        for method, body in {
            "NetworkDriver.DeleteNetwork": {"NetworkID": NETWORK},
            "NetworkDriver.DeleteEndpoint": {"NetworkID": NETWORK, "EndpointID": endpoint_id(1)},
            "IpamDriver.RequestPool": {"Pool": "10.9.0.0/24"},
        }.items():
            text = made.refused(method, body)
            assert "records unavailable: no leader among unix:/run/moorage/db.sock" == text
        for method in ("NetworkDriver.EndpointOperInfo", "NetworkDriver.RevokeExternalConnectivity"):
            made.call(method, NetworkID=NETWORK, EndpointID=endpoint_id(1))
        assert made.join(endpoint_id(1))  # nothing new to write
        made.store.mend()
        made.call("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)
        assert {} == {name: n for name, n in made.left().items() if name != "Address"}
