"""Whatever bytes come to the plugin's socket: an object comes back, nothing crashes, nothing is left for ever.

Bodies are what Docker sends with one thing after the other put wrong: types, texts, subnets, order, ids.  A crash would
be told by its answer (`internal error`); what is refused must have changed nothing.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netplugin.forgotten import Forgotten, Known
from tests.contract.test_protocol_rules import NEEDS_A_BODY, NEEDS_NONE
from tests.plugin import HOST, NETWORK, Plugin, endpoint_id, plugin
from tests.quiet import quiet

METHODS = [*NEEDS_A_BODY, *NEEDS_NONE]
LIGHT = settings(max_examples=60)

SUBNETS = st.sampled_from(
    [
        "0.0.0.0/0",
        "0.0.0.0/1",
        "255.255.255.255/32",
        "10.1.0.0/24",
        "10.1.0.7/24",
        "10.1.0.0/31",
        "10.1.0.0/32",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "10.0.0.0/8",
        "10.1.0.0/33",
        "10.1.0.0/-1",
        "::/0",
        "::1/128",
        "fd00::/8",
        "fd00::/64",
        "fd00::/127",
        "fe80::/10",
        "ff00::/8",
        "::ffff:10.1.0.0/120",
        "10.1.0.0/255.255.255.0",
        "10.1.0.0/0.0.0.255",
        "010.001.0.0/24",
        "10.1/16",
        "fe80::1%eth0/64",
        "10.1.0.1",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=40),
    SUBNETS,
    st.sampled_from(["", " ", "\0", "a" * 100_000, "\ud800", "\u202e", "../..", "-1", "65536", "1e9", "null", "%s"]),
    st.sampled_from([NETWORK, endpoint_id(1), endpoint_id(2), "moorage-local", "nat", "none", "02:42:0a:01:00:02"]),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
OPTIONS = [
    *(f"moorage.{name}" for name in ("network", "tenant", "kind", "gateway", "isolation", "mtu", "segment", "uplink")),
    *(f"moorage.{name}" for name in ("rate", "sticky", "spoof", "publish", "join", "nonsense")),
    "com.docker.network.driver.mtu",
    "com.docker.network.container_iface_prefix",
    "com.docker.network.generic",
    "com.docker.network.internal",
    "com.docker.network.enable_ipv6",
    "com.docker.network.portmap",
    "com.docker.network.endpoint.macaddress",
    "RequestAddressType",
]
FULL = {  # a body with every key that Docker may send, so that each can be put wrong
    "NetworkDriver.CreateNetwork": {
        "NetworkID": NETWORK,
        "Options": {"com.docker.network.enable_ipv6": True, "com.docker.network.generic": {"moorage.mtu": "1400"}},
        "IPv4Data": [
            {"AddressSpace": "x", "Pool": "10.1.0.0/24", "Gateway": "10.1.0.1/24", "AuxAddresses": {"a": "10.1.0.9/24"}}
        ],
        "IPv6Data": [{"AddressSpace": "x", "Pool": "fd00::/64", "Gateway": "fd00::1/64"}],
    },
    "NetworkDriver.CreateEndpoint": {
        "NetworkID": NETWORK,
        "EndpointID": endpoint_id(1),
        "Interface": {"Address": "10.1.0.2/24", "AddressIPv6": "", "MacAddress": "02:00:00:00:00:33"},
        "Options": {
            "com.docker.network.portmap": [
                {"Proto": 6, "IP": "", "Port": 80, "HostIP": "127.0.0.1", "HostPort": 18080, "HostPortEnd": 18080}
            ],
            "com.docker.network.endpoint.exposedports": [{"Proto": 6, "Port": 80}],
            "com.docker.network.endpoint.macaddress": "AgAAAAAz",
        },
    },
}


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every part of a body."""
    yield at
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*at, key))


def replaced(body: Any, at: tuple[Any, ...], by: Any) -> Any:
    if not at:
        return by
    made = copy.deepcopy(body)
    inner = made
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = by
    return made


@st.composite
def bodies(draw: st.DrawFn, method: str) -> Any:
    """Draw a body for a method: as Docker sends it, but for up to three parts."""
    body: Any = FULL.get(method) or NEEDS_A_BODY.get(method) or {}
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.sampled_from(sorted(places(body), key=str)))
        by = draw(st.one_of(VALUES, TEXTS, st.dictionaries(st.sampled_from(OPTIONS), TEXTS | VALUES, max_size=3)))
        body = replaced(body, at, by)
    return body


calls = st.sampled_from(METHODS).flatmap(lambda method: st.tuples(st.just(method), bodies(method)))


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def sound(host: Plugin, method: str, body: bytes) -> dict[str, Any]:
    """Make a call; return its answer, which must be of a form that Docker understands."""
    before = host.records
    answer = host.post(method, body)  # status 200, an object
    if "Err" in answer or "Error" in answer:
        assert {"Err", "Error"} == set(answer), answer
        assert isinstance(answer["Err"], str)
        assert answer["Err"] == answer["Error"] != ""
        assert "internal error" not in answer["Err"], (method, body, answer)
        assert before is host.records, (method, body, answer)
    return answer


def emptied(host: Plugin) -> None:
    """Delete all that is there, as Docker's user would; then what only Docker can have forgotten."""
    records = host.records
    for on in records.docker_networks:
        for endpoint in records.endpoints.of(docker_network=on.id):
            ids = {"NetworkID": on.docker_id, "EndpointID": endpoint.docker_id}
            host.call("NetworkDriver.Leave", **ids)
            host.call("NetworkDriver.DeleteEndpoint", **ids)
    for address in records.addresses:
        host.call("IpamDriver.ReleaseAddress", PoolID=str(address.subnet), Address=str(address.ip))
    for subnet in records.subnets:
        host.call("IpamDriver.ReleasePool", PoolID=str(subnet.id))
    for on in records.docker_networks:
        host.call("NetworkDriver.DeleteNetwork", NetworkID=on.docker_id)
    Forgotten(host.store, HOST, lambda: Known({}, frozenset()), after=0.0).look()
    assert {} == host.left()
    host.swept()
    assert host.planned() == host.actual()


@pytest.fixture(scope="module")
def shared() -> Iterator[Plugin]:
    with quiet(), plugin() as host:
        yield host


@LIGHT
@given(method=st.sampled_from(METHODS), body=st.binary(max_size=200))
@example("NetworkDriver.CreateNetwork", b"[" * 1_000_000)
@example("IpamDriver.RequestPool", b'{"Pool":' * 10_000)
@example("NetworkDriver.CreateNetwork", b'{"NetworkID":"\xed\xa0\x80"}')
@example("NetworkDriver.Join", b'{"NetworkID":"\\ud800","EndpointID":"\\udfff"}')
@example("NetworkDriver.Leave", b'{"NetworkID":1e400,"EndpointID":-0}')
@example("NetworkDriver.CreateNetwork", b'{"NetworkID":"a","NetworkID":"b"}')
@example("NetworkDriver.DiscoverNew", b'{"DiscoveryType":99999999999999999999999999}')
def test_raw_bytes_are_answered_and_change_nothing(shared: Plugin, method: str, body: bytes) -> None:
    before = shared.records

    sound(shared, method, body)

    assert before is shared.records


@LIGHT
@given(path=st.text(max_size=60), verb=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "TRACE"]))
def test_unknown_paths_and_verbs_are_no_crash(shared: Plugin, path: str, verb: str) -> None:
    answer = shared.docker.open("/" + path.lstrip("/"), method=verb, data=b"{}")

    assert answer.status_code in (200, 308, 404, 405)
    assert b"internal error" not in answer.data


@LIGHT
@given(sequence=st.lists(calls, min_size=1, max_size=12), network=st.booleans())
def test_whatever_is_put_wrong_is_refused_or_done_and_can_be_deleted(
    sequence: list[tuple[str, Any]], *, network: bool
) -> None:
    with quiet(), plugin() as host:
        if network:
            (pool,) = host.network()
            host.run(1, pool)
        for method, body in sequence:
            sound(host, method, encoded(body))
        host.swept()
        assert host.planned() == host.actual()
        emptied(host)
