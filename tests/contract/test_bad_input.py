"""What no dockerd, or a person in error, may send: each is refused in words, with status 200, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.test_protocol_rules import NEEDS_A_BODY, ONE
from tests.plugin import NETWORK, SUBNET, Plugin, endpoint_id, plugin

STRANGE = ["$(reboot)", "`reboot`", "; reboot", "../../etc/passwd", "a\nb", "a\0b", "a" * 300, "\u00e9\u4e16", "%s%n"]
CREATE = NEEDS_A_BODY["NetworkDriver.CreateNetwork"]


@pytest.fixture(scope="module")
def host() -> Iterator[Plugin]:
    """A host with a network, a full pool and a container, which no test here changes."""
    with plugin() as made:
        (pool,) = made.network()
        made.run(1, pool)
        small, _ = made.pool("10.9.0.0/31")
        made.address(small)
        made.address(small)
        yield made


@pytest.fixture(autouse=True)
def unchanged(host: Plugin) -> Iterator[None]:
    before = host.records
    yield
    assert before is host.records


@pytest.mark.parametrize("method", NEEDS_A_BODY)
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "the body is not JSON"),
        (b'{"NetworkID":', "the body is not JSON"),
        (b"hello", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 100_000, "expected `object`"),
        (b"[]", "expected `object`, got `array`"),
        (b"null", "expected `object`, got `null`"),
        (b'"text"', "expected `object`, got `str`"),
    ],
)
def test_what_is_no_object_is_refused_with_what_was_expected(host: Plugin, method: str, body: bytes, text: str) -> None:
    found = host.refused(method, body)

    assert found.startswith(method)
    assert text in found or "not JSON" in found


WRONG_TYPES: dict[str, list[tuple[dict[str, Any], str]]] = {
    "NetworkDriver.CreateNetwork": [
        ({"NetworkID": 7}, "in NetworkID: expected `str`, got `int`"),
        ({"NetworkID": None}, "in NetworkID: expected `str`, got `null`"),
        ({"Options": []}, "in Options: expected `object | null`, got `array`"),
        ({"IPv4Data": {}}, "in IPv4Data: expected `array | null`, got `object`"),
        ({"IPv4Data": [7]}, "in IPv4Data[0]: expected `object`, got `int`"),
        ({"IPv4Data": [{"Pool": 7}]}, "in IPv4Data[0].Pool: expected `str`, got `int`"),
        ({"IPv4Data": [{"AuxAddresses": []}]}, "in IPv4Data[0].AuxAddresses: expected `object | null`, got `array`"),
        ({"Options": {"com.docker.network.generic": 7}}, "com.docker.network.generic must be a map of texts"),
        ({"Options": {"com.docker.network.generic": {"a": 7}}}, "com.docker.network.generic must be a map of texts"),
        ({"Options": {"com.docker.network.internal": "yes"}}, "com.docker.network.internal must be true or false"),
    ],
    "NetworkDriver.CreateEndpoint": [
        ({"EndpointID": []}, "in EndpointID: expected `str`, got `array`"),
        ({"Interface": "eth0"}, "in Interface: expected `object | null`, got `str`"),
        ({"Interface": {"Address": 7}}, "in Interface.Address: expected `str`, got `int`"),
        ({"Options": "x"}, "in Options: expected `object | null`, got `str`"),
    ],
    "NetworkDriver.Join": [({"SandboxKey": {}}, "in SandboxKey: expected `str`, got `object`")],
    "NetworkDriver.Leave": [({"EndpointID": True}, "in EndpointID: expected `str`, got `bool`")],
    "NetworkDriver.DiscoverNew": [({"DiscoveryType": "1"}, "in DiscoveryType: expected `int`, got `str`")],
    "IpamDriver.RequestPool": [
        ({"V6": "no"}, "in V6: expected `bool`, got `str`"),
        ({"Options": {"a": 7}}, "in Options[...]: expected `str`, got `int`"),
        ({"Pool": ["10.1.0.0/24"]}, "in Pool: expected `str`, got `array`"),
    ],
    "IpamDriver.RequestAddress": [({"Address": 7}, "in Address: expected `str`, got `int`")],
    "IpamDriver.ReleaseAddress": [({"PoolID": None}, "in PoolID: expected `str`, got `null`")],
}


@pytest.mark.parametrize(
    ("method", "wrong", "text"), [(method, *one) for method, several in WRONG_TYPES.items() for one in several]
)
def test_a_wrong_type_is_refused_with_its_place(host: Plugin, method: str, wrong: dict[str, Any], text: str) -> None:
    assert text in host.refused(method, NEEDS_A_BODY[method] | wrong)


@pytest.mark.parametrize(
    ("method", "field"),
    [
        ("NetworkDriver.CreateNetwork", "NetworkID"),
        ("NetworkDriver.DeleteNetwork", "NetworkID"),
        ("NetworkDriver.CreateEndpoint", "NetworkID"),
        ("NetworkDriver.CreateEndpoint", "EndpointID"),
        ("NetworkDriver.Join", "EndpointID"),
        ("NetworkDriver.Leave", "EndpointID"),
        ("NetworkDriver.DeleteEndpoint", "EndpointID"),
        ("IpamDriver.ReleasePool", "PoolID"),
        ("IpamDriver.RequestAddress", "PoolID"),
        ("IpamDriver.ReleaseAddress", "PoolID"),
    ],
)
def test_a_field_that_is_due_is_missed_by_name(host: Plugin, method: str, field: str) -> None:
    body = {key: value for key, value in NEEDS_A_BODY[method].items() if key != field}

    assert f"missing required field `{field}`" in host.refused(method, body)


@pytest.mark.parametrize(
    ("method", "body", "text"),
    [
        (
            "NetworkDriver.CreateEndpoint",
            {"NetworkID": "cd" * 32, "EndpointID": endpoint_id(9)},
            "network cdcdcdcdcdcd (in Moorage's records of host a; remove and create it again) does not exist",
        ),
        ("NetworkDriver.Join", {"NetworkID": "cd" * 32, "EndpointID": endpoint_id(1)}, "network cdcdcdcdcdcd"),
        ("NetworkDriver.Join", {"NetworkID": NETWORK, "EndpointID": endpoint_id(9)}, "endpoint 000900090009"),
        (
            "IpamDriver.RequestAddress",
            {"PoolID": "pool-of-another"},
            "address pool pool-of-another does not exist",
        ),
    ],
)
def test_what_does_not_exist_is_named(host: Plugin, method: str, body: dict[str, str], text: str) -> None:
    assert text in host.refused(method, body)


@pytest.mark.parametrize("cidr", [SUBNET, "10.1.0.128/25", "10.0.0.0/8", "10.9.0.0/24"])
def test_a_subnet_that_overlaps_is_refused_with_whose_it_is(host: Plugin, cidr: str) -> None:
    text = host.refused("IpamDriver.RequestPool", {"Pool": cidr})

    assert f"subnet {cidr} overlaps " in text
    assert f"of network {NETWORK[:12]}: choose another" in text or "repeat the command in a minute" in text
    assert f"overlaps {SUBNET}" in host.refused("NetworkDriver.CreateNetwork", CREATE | {"NetworkID": "cd" * 32})


def test_a_pool_that_is_full_says_so(host: Plugin) -> None:
    (full,) = (subnet for subnet in host.records.subnets if subnet.network is None)

    text = host.refused("IpamDriver.RequestAddress", {"PoolID": str(full.id), "Address": "", "Options": None})

    assert "no address is left in subnet 10.9.0.0/31: remove containers, or make a larger network" == text


@pytest.mark.parametrize("text", STRANGE, ids=ascii)
@pytest.mark.parametrize("option", ["network", "tenant", "kind", "gateway", "isolation", "mtu"])
def test_options_with_strange_characters_are_refused(host: Plugin, option: str, text: str) -> None:
    options = {"com.docker.network.generic": {f"moorage.{option}": text}}

    for method in ("NetworkDriver.CreateNetwork", "NetworkDriver.GwAllocCheck"):
        found = host.refused(method, {"NetworkID": "cd" * 32, "Options": options})
        assert f"moorage.{option}={text!r}: expected " in found


@pytest.mark.parametrize("text", STRANGE, ids=ascii)
def test_ids_with_strange_characters_are_refused_or_unknown(host: Plugin, text: str) -> None:
    create = {"NetworkID": text, "IPv4Data": [{"Pool": "10.7.0.0/24"}]}
    assert "is not one of Docker's" in host.refused("NetworkDriver.CreateNetwork", create)
    for method, field in [("CreateEndpoint", "EndpointID"), ("Join", "EndpointID"), ("CreateEndpoint", "NetworkID")]:
        assert host.refused(f"NetworkDriver.{method}", NEEDS_A_BODY[f"NetworkDriver.{method}"] | {field: text})
    for method in ("Leave", "DeleteEndpoint"):
        host.call(f"NetworkDriver.{method}", **{**ONE, "EndpointID": text})
    host.call("NetworkDriver.DeleteNetwork", NetworkID=text)
    host.call("IpamDriver.ReleasePool", PoolID=text)


@pytest.mark.parametrize("text", STRANGE, ids=ascii)
def test_addresses_with_strange_characters_are_refused(host: Plugin, text: str) -> None:
    pool = next(str(subnet.id) for subnet in host.records.subnets if str(subnet.cidr) == SUBNET)
    for method, body in {
        "IpamDriver.RequestPool": {"Pool": text},
        "IpamDriver.RequestAddress": {"PoolID": pool, "Address": text},
        "IpamDriver.ReleaseAddress": {"PoolID": pool, "Address": text},
        "NetworkDriver.CreateNetwork": {"NetworkID": "cd" * 32, "IPv4Data": [{"Pool": text}]},
        "NetworkDriver.CreateEndpoint": {**ONE, "Interface": {"Address": text}},
    }.items():
        assert "is not a" in host.refused(method, body)
    body = {"NetworkID": "cd" * 32, "IPv4Data": [{"Pool": "10.7.0.0/24", "Gateway": text}]}
    assert "is not an address" in host.refused("NetworkDriver.CreateNetwork", body)


def test_what_the_database_cannot_keep_is_refused_as_such(host: Plugin) -> None:
    options = {"com.docker.network.generic": {"somebody.else": "a\0b"}}
    body = {"NetworkID": "cd" * 32, "Options": options, "IPv4Data": [{"Pool": "10.7.0.0/24"}]}

    assert "this cannot be kept in the records" in host.refused("NetworkDriver.CreateNetwork", body)


@pytest.mark.parametrize("gateway", ["10.8.0.1/24", "10.7.0.0/24", "10.7.0.255/24", "fd00::1/64"])
def test_a_gateway_outside_the_subnet_is_refused(host: Plugin, gateway: str) -> None:
    body = {"NetworkID": "cd" * 32, "IPv4Data": [{"Pool": "10.7.0.0/24", "Gateway": gateway}]}

    assert "is not an address of subnet 10.7.0.0/24" in host.refused("NetworkDriver.CreateNetwork", body)
