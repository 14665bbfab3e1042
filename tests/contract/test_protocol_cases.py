"""Cases that Docker's own tests or its sources suggest, beyond the rules of tests/contract/test_protocol_rules.py.

Which case is shown where is told in docs/conformance.md.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.model import Endpoint
from tests.contract.test_protocol_rules import NEEDS_A_BODY, NEEDS_NONE
from tests.plugin import NETWORK, Plugin, endpoint_id, plugin
from tests.strategies import records

NETWORKS = {NETWORK: "10.1.0.0/16", "cd" * 32: "10.2.0.0/25"}
SWARM = "ral21pehzoyce25k4762nmfqi"  # swarm's ids of networks: 25 digits of base 36


@pytest.fixture
def host() -> Iterator[Plugin]:
    with plugin() as made:
        yield made


def test_missing_empty_and_null_values_are_the_same(host: Plugin) -> None:
    """Go's zero values: a key left out, an empty one, and null (moby TestMissingValues)."""
    (pool,) = host.network()
    seen = []
    for number, interface in enumerate(
        [
            {"Address": "10.1.0.7/24"},
            {"Address": "10.1.0.7/24", "AddressIPv6": "", "MacAddress": ""},
        ]
    ):
        body = {"NetworkID": NETWORK, "EndpointID": endpoint_id(number), "Interface": interface}
        for options in ({}, {"Options": None}, {"Options": {}}):
            answer = host.call("NetworkDriver.CreateEndpoint", **body, **options)
            seen.append(answer["Interface"])
    for more in ({}, {"Options": None, "Address": ""}, {"Options": {}}):
        host.call("IpamDriver.RequestAddress", PoolID=pool, **more)
    for absent in ({}, {"IPv6Data": None}, {"IPv6Data": [], "Options": None}):
        data = [{"Pool": "10.2.0.0/24", "AuxAddresses": None}]
        host.call("NetworkDriver.CreateNetwork", NetworkID="cd" * 32, IPv4Data=data, **absent)

    assert [{"MacAddress": "02:42:0a:01:00:07"}] * 6 == seen


def test_keys_of_newer_dockers_are_ignored(host: Plugin) -> None:
    for method, body in NEEDS_A_BODY.items():
        if method not in ("NetworkDriver.Join", "IpamDriver.RequestAddress"):  # what these name is not there
            host.call(method, **body, Tomorrow={"a": [1]})
    for method in NEEDS_NONE:
        host.call(method, Tomorrow={"a": [1]})


def test_an_endpoint_whose_join_is_refused_is_deleted_and_leaves_nothing(
    host: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker deletes it; 29 sends Leave before, once or twice (moby TestJoinError)."""
    monkeypatch.setattr("netplugin.driver.SYSTEM_WITHIN", 0.05)
    (pool,) = host.network()
    before = host.left()
    host.system["ports"].broken = "no such device"
    address = host.address(pool)
    endpoint = host.endpoint(1, address)
    ids = {"NetworkID": NETWORK, "EndpointID": endpoint}

    assert "no such device" in host.refused("NetworkDriver.Join", {**ids, "SandboxKey": "/netns/1"})

    host.system["ports"].broken = None
    for method in ("Leave", "Leave", "DeleteEndpoint"):
        host.call(f"NetworkDriver.{method}", **ids)
    host.call("IpamDriver.ReleaseAddress", PoolID=pool, Address=address.partition("/")[0])
    host.swept()
    assert before | {"Block": 1} == host.left()
    assert host.planned() == host.actual()
    assert {} == host.actual()["links"]


@pytest.mark.parametrize(
    ("cidr", "gateway", "container"),
    [("10.4.0.0/31", "10.4.0.0", "10.4.0.1/31"), ("fd04::/127", "fd04::", "fd04::1/127")],
)
def test_a_subnet_of_two_addresses_holds_a_gateway_and_a_container(
    host: Plugin, cidr: str, gateway: str, container: str
) -> None:
    """RFC 3021 and RFC 6164 (moby TestPointToPoint)."""
    (pool,) = host.network(cidrs=[cidr])
    address = host.address(pool)

    answer = host.join(host.endpoint(1, address))
    assert container == address
    assert gateway == answer["GatewayIPv6" if ":" in cidr else "Gateway"]


def test_a_network_of_swarms_short_id_is_like_any_other(host: Plugin) -> None:
    (pool,) = host.network(SWARM)
    answer = host.run(1, pool, SWARM)

    assert {"SrcName": "mp0001000100010", "DstPrefix": "eth"} == answer["InterfaceName"]


@given(st.builds(dataclasses.replace, records(Endpoint), docker_id=st.integers(0, 2**256 - 1).map("{:064x}".format)))
def test_interfaces_have_names_that_the_kernel_takes_and_no_two_share(endpoint: Endpoint) -> None:
    """At most 15 bytes (IFNAMSIZ - 1), with the first 48 bits of Docker's id in them."""
    names = {endpoint.port, endpoint.peer}

    assert {15} == {len(name) for name in names}
    assert ("mv-" + endpoint.docker_id[:12], "mp" + endpoint.docker_id[:13]) == (endpoint.port, endpoint.peer)


def test_fifty_containers_that_start_and_stop_at_once_leave_nothing(host: Plugin) -> None:
    pools = {network: host.network(network, [cidr])[0] for network, cidr in NETWORKS.items()}
    before = host.left()
    errors: list[BaseException] = []

    def life(number: int) -> None:
        try:
            for network, pool in pools.items():
                address = host.address(pool)
                key = host.endpoint(number if network == NETWORK else number + 100, address, network)
                host.join(key, network)
                for method in ("RevokeExternalConnectivity", "Leave", "DeleteEndpoint"):
                    host.call(f"NetworkDriver.{method}", NetworkID=network, EndpointID=key)
                host.call("IpamDriver.ReleaseAddress", PoolID=pool, Address=address.partition("/")[0])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=life, args=(number,)) for number in range(1, 51)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [] == errors
    host.swept()
    assert before == {table: count for table, count in host.left().items() if table != "Block"}
    assert host.planned() == host.actual()


def test_a_restarted_plugin_activates_at_once_however_much_it_has_to_do(host: Plugin) -> None:
    """Docker's boot waits for the answer without limit; with 50 networks and 200 containers it needs none of them."""
    for number in range(50):
        (pool,) = host.network(f"{number:064x}", [f"10.{number}.0.0/24"])
        for endpoint in range(4):
            host.endpoint(number * 4 + endpoint, host.address(pool), f"{number:064x}")
    again = Plugin(host.store)  # its loop does not run yet: nothing of the system is as it should be

    assert {"Implements": ["NetworkDriver", "IpamDriver"]} == again.post("Plugin.Activate")
    for method in NEEDS_NONE:
        assert "Err" not in again.post(method)
    assert {} == again.actual()["links"]
    assert 200 == host.left()["Endpoint"]
