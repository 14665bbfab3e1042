"""The rules that Docker's protocol lays on a network and IPAM plugin, each shown by a test that bears its number.

Numbers are those that comments in netplugin/ call PROTOCOL rules.  What is not shown here:

- 1 and 3 (the socket's file, the order of units): tests/contract/test_serve.py, and the units themselves;
- 24 (no swarm networks on plugins that are not managed ones) is Docker's own doing;
- 27 to 29 and parts of 6, 10 and 13 are about volumes, which this plugin does not do.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import netplugin
from netplugin.forgotten import Forgotten, Known
from netplugin.plan.wiring import Links
from records.memory import MemoryStore
from records.model import Endpoint
from records.writes import Update
from tests.plugin import HOST, NETWORK, SUBNET, Plugin, controller, endpoint_id, plan, plugin

ONE = {"NetworkID": NETWORK, "EndpointID": endpoint_id(1)}
POOL = {"AddressSpace": "moorage-local", "Pool": SUBNET, "SubPool": "", "Options": {}, "V6": False}
NEEDS_A_BODY: dict[str, dict[str, Any]] = {
    "NetworkDriver.AllocateNetwork": {"NetworkID": NETWORK, "Options": {}},
    "NetworkDriver.FreeNetwork": {"NetworkID": NETWORK},
    "NetworkDriver.GwAllocCheck": {"Options": {}},
    "NetworkDriver.CreateNetwork": {
        "NetworkID": NETWORK,
        "Options": {},
        "IPv4Data": [{"AddressSpace": "LocalDefault", "Pool": SUBNET, "Gateway": "10.1.0.1/24"}],
        "IPv6Data": [],
    },
    "NetworkDriver.CreateEndpoint": {**ONE, "Interface": {"Address": "10.1.0.2/24"}, "Options": {}},
    "NetworkDriver.Join": {**ONE, "SandboxKey": "/var/run/docker/netns/29063855d9f4", "Options": {}},
    "NetworkDriver.ProgramExternalConnectivity": {**ONE, "Options": {}},
    "NetworkDriver.RevokeExternalConnectivity": ONE,
    "NetworkDriver.Leave": ONE,
    "NetworkDriver.DeleteEndpoint": ONE,
    "NetworkDriver.DeleteNetwork": {"NetworkID": NETWORK},
    "NetworkDriver.DiscoverNew": {"DiscoveryType": 1, "DiscoveryData": {"Address": "10.77.0.1", "Self": True}},
    "NetworkDriver.DiscoverDelete": {"DiscoveryType": 1, "DiscoveryData": {"Address": "10.77.0.1", "Self": True}},
    "IpamDriver.RequestPool": POOL,
    "IpamDriver.RequestAddress": {"PoolID": "00000000-0000-0000-0000-000000000000", "Address": "", "Options": None},
    "IpamDriver.ReleaseAddress": {"PoolID": "x", "Address": "10.1.0.2"},
    "IpamDriver.ReleasePool": {"PoolID": "x"},
}
NEEDS_NONE = (
    "Plugin.Activate",
    "NetworkDriver.GetCapabilities",
    "NetworkDriver.EndpointOperInfo",
    "IpamDriver.GetCapabilities",
    "IpamDriver.GetDefaultAddressSpaces",
)


@pytest.fixture
def host() -> Iterator[Plugin]:
    with plugin() as made:
        yield made


@pytest.fixture
def pool(host: Plugin) -> str:
    """A network of our IPAM driver on the host, and its pool."""
    (made,) = host.network()
    return made


def test_rule_02_activation_needs_neither_database_nor_switch() -> None:
    host = Plugin()  # its loop has never run, its host has no record
    host.store.cut()
    for one in host.system.values():
        one.broken = "away"

    assert {"Implements": ["NetworkDriver", "IpamDriver"]} == host.post("Plugin.Activate")
    for method in NEEDS_NONE:
        assert "Err" not in host.post(method)


@pytest.mark.parametrize("method", [*NEEDS_A_BODY, *NEEDS_NONE])
def test_rule_04_every_answer_is_200_with_an_object(host: Plugin, method: str) -> None:
    for body in (NEEDS_A_BODY.get(method), b"", b"{", b"[]", b"null", {}):
        answer = host.app.test_client().post(f"/{method}", data=body if isinstance(body, bytes) else json.dumps(body))

        assert (200, dict) == (answer.status_code, type(json.loads(answer.data)))


def test_rule_04_an_error_stands_where_network_and_ipam_drivers_are_asked_for_it(host: Plugin) -> None:
    network = host.post("NetworkDriver.CreateEndpoint", NEEDS_A_BODY["NetworkDriver.CreateEndpoint"])
    ipam = host.post("IpamDriver.RequestAddress", NEEDS_A_BODY["IpamDriver.RequestAddress"])

    assert network["Err"] == network["Error"] != ""
    assert ipam["Err"] == ipam["Error"] != ""


@pytest.mark.parametrize("headers", [{"Host": ""}, {"Host": "plugin.moby.localhost"}, {"Host": "%2Frun%2Frec.sock"}])
def test_rule_05_neither_host_nor_content_type_matter(host: Plugin, headers: dict[str, str]) -> None:
    headers |= {"User-Agent": "Go-http-client/1.1", "Accept": "application/vnd.docker.plugins.v1.2+json"}
    body = json.dumps(POOL) + "\n"

    answer = host.app.test_client().post("/IpamDriver.RequestPool", data=body, headers=headers)

    assert SUBNET == json.loads(answer.data)["Pool"]


@pytest.mark.parametrize("method", NEEDS_A_BODY)
def test_rule_06_an_empty_body_is_refused_on_every_method_that_needs_one(host: Plugin, method: str) -> None:
    before = host.records

    text = host.refused(method, b"")

    assert f"{method} came without a body" in text
    assert "please repeat the command" in text
    assert before is host.records


def test_rule_06_no_method_has_been_forgotten_above(host: Plugin) -> None:
    rules = {rule.rule.lstrip("/") for rule in host.app.url_map.iter_rules()}

    assert rules == {*NEEDS_A_BODY, *NEEDS_NONE}


def test_rule_07_what_ends_may_end_twice_and_what_is_unknown_has_ended(host: Plugin, pool: str) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("NetworkDriver.RevokeExternalConnectivity", ONE),
        ("NetworkDriver.Leave", ONE),
        ("NetworkDriver.DeleteEndpoint", ONE),
        ("IpamDriver.ReleaseAddress", {"PoolID": pool, "Address": "10.1.0.2"}),
        ("IpamDriver.ReleasePool", {"PoolID": pool}),
        ("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK}),
    ]
    host.run(1, pool)
    for method, body in [*calls, *calls, *reversed(calls)]:
        host.call(method, **body)

    assert {} == host.left()


def test_rule_07_what_makes_may_be_asked_for_twice(host: Plugin, pool: str) -> None:
    body = {**ONE, "Interface": {"Address": host.address(pool), "MacAddress": ""}, "Options": {}}
    network = {"AddressSpace": "moorage-local", "Pool": SUBNET, "Gateway": "10.1.0.1/24"}
    options = {"com.docker.network.enable_ipv6": False, "com.docker.network.generic": {}}
    calls: dict[str, dict[str, Any]] = {
        "NetworkDriver.CreateNetwork": {"NetworkID": NETWORK, "Options": options, "IPv4Data": [network]},
        "NetworkDriver.CreateEndpoint": body,
        "NetworkDriver.Join": NEEDS_A_BODY["NetworkDriver.Join"],
        "NetworkDriver.ProgramExternalConnectivity": {**ONE, "Options": {}},
    }
    for method, asked in calls.items():
        assert host.call(method, **asked) == host.call(method, **asked)

    assert 1 == host.left()["Endpoint"]


def test_rule_08_what_was_answered_is_in_the_records_and_all_that_another_process_needs(
    pool: str, host: Plugin
) -> None:
    host.run(1, pool)
    host.settled()

    with plugin(store=MemoryStore(host.records)) as restarted:  # nothing but the records has come over
        restarted.swept()
        assert host.actual() == restarted.actual()
        assert host.join(endpoint_id(1)) == restarted.join(endpoint_id(1))
        assert "10.1.0.3/24" == restarted.address(pool)


def test_rule_08_nothing_is_answered_that_the_records_did_not_take(host: Plugin, pool: str) -> None:
    host.endpoint(1, host.address(pool))
    host.store.cut()
    before = host.records

    refused = [method for method, body in NEEDS_A_BODY.items() if "Err" in host.post(method, body)]

    assert {"CreateNetwork", "CreateEndpoint", "Join", "Leave", "DeleteEndpoint", "DeleteNetwork"} >= {
        method.partition(".")[2] for method in refused if method.startswith("NetworkDriver.")
    }
    assert {"NetworkDriver.DeleteEndpoint", "NetworkDriver.DeleteNetwork", "IpamDriver.RequestPool"} <= set(refused)
    assert before is host.records


def test_rule_09_what_docker_has_forgotten_goes_without_any_delete(host: Plugin, pool: str) -> None:
    host.run(1, pool)
    host.run(2, pool)
    host.pool("10.2.0.0/24")
    known = Known({NETWORK: frozenset({endpoint_id(2)})}, frozenset({SUBNET}))

    Forgotten(host.store, HOST, lambda: known, after=0.0).look()
    host.settled()

    assert [endpoint_id(2)] == [endpoint.docker_id for endpoint in host.records.endpoints]
    assert [SUBNET] == [str(subnet.cidr) for subnet in host.records.subnets]
    assert host.planned() == host.actual()


def test_rule_10_no_callback_calls_docker() -> None:
    """Only the agent, which wires the parts, knows Docker's API; what it makes of it runs in a thread of its own."""
    users = {
        path.name
        for path in Path(netplugin.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "netplugin.docker"
    }

    assert {"agent.py"} == users


def test_rule_11_calls_in_parallel_are_all_served(host: Plugin, pool: str) -> None:
    errors: list[object] = []

    def container(number: int) -> None:
        try:
            for _ in range(3):
                address = host.address(pool)
                endpoint = host.endpoint(number, address)
                host.join(endpoint)
                host.call("NetworkDriver.Leave", NetworkID=NETWORK, EndpointID=endpoint)
                host.call("NetworkDriver.DeleteEndpoint", NetworkID=NETWORK, EndpointID=endpoint)
                host.call("IpamDriver.ReleaseAddress", PoolID=pool, Address=address.partition("/")[0])
        except BaseException as error:
            errors.append(error)

    in_parallel([lambda n=n: container(n) for n in range(1, 17)])  # type: ignore[misc]

    assert [] == errors
    assert [] == list(host.records.endpoints)
    assert 1 == len(host.records.addresses)


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ({"Address": "10.1.0.2/24", "MacAddress": ""}, {"MacAddress": "02:42:0a:01:00:02"}),
        ({"Address": "10.1.0.2/24", "AddressIPv6": ""}, {"MacAddress": "02:42:0a:01:00:02"}),
        ({"Address": "10.1.0.2/24", "MacAddress": "02:00:00:00:00:33"}, {}),
    ],
)
def test_rule_12_only_a_mac_that_docker_left_open_is_answered(
    host: Plugin, pool: str, given: dict[str, str], answered: dict[str, str]
) -> None:
    assert {"Interface": answered} == host.call("NetworkDriver.CreateEndpoint", **ONE, Interface=given, Options={})


@pytest.mark.parametrize("layer", ["ports", "gateways", "firewall"])
def test_rule_13_a_network_that_fails_leaves_nothing_behind(
    host: Plugin, layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netplugin.driver.SYSTEM_WITHIN", 0.05)
    host.system[layer].broken = "no permission"

    assert "no permission" in host.refused("NetworkDriver.CreateNetwork", NEEDS_A_BODY["NetworkDriver.CreateNetwork"])

    assert {} == host.left()


def test_rule_13_an_endpoint_that_is_refused_leaves_nothing_behind(host: Plugin, pool: str) -> None:
    before = host.records

    host.refused("NetworkDriver.CreateEndpoint", {**ONE, "Interface": {"Address": "192.0.2.1/24"}})

    assert before is host.records


def test_rule_14_join_names_an_interface_that_is_there_and_looks_at_no_sandbox(host: Plugin, pool: str) -> None:
    endpoint = host.endpoint(1, host.address(pool))
    answer = host.call(
        "NetworkDriver.Join", **ONE, SandboxKey="/does/not/exist/yet", Options={"com.docker.network.portmap": []}
    )

    name = answer["InterfaceName"]["SrcName"]
    assert name == host.actual()["links"][endpoint].peer
    assert len(name) <= 15
    assert endpoint in host.actual()["ports"]


def test_rule_15_both_ends_of_a_link_have_the_networks_mtu(host: Plugin) -> None:
    (pool,) = host.network(options={"moorage.mtu": "1400"})
    host.run(1, pool)

    assert [1400] == [link.mtu for link in plan(Links(HOST), host.records).values()]
    assert [1400] == [link.mtu for link in host.actual()["links"].values()]


def test_rule_16_a_container_of_an_internal_network_gets_no_gateway(host: Plugin) -> None:
    (pool,) = host.network(internal=True)

    answer = host.run(1, pool)

    assert {"InterfaceName", "DisableGatewayService"} == set(answer)
    assert {} == host.actual()["gateways"]


@pytest.mark.parametrize(
    ("gateway", "answered"),
    [
        ("nat", {"Gateway": "10.1.0.1"}),
        ("routed", {"Gateway": "10.1.0.1"}),
        ("none", {"DisableGatewayService": True}),
    ],
)
def test_rule_17_the_way_out_is_ours_and_never_dockers_second_interface(
    host: Plugin, gateway: str, answered: dict[str, object]
) -> None:
    (pool,) = host.network(options={"moorage.gateway": gateway})

    answer = host.run(1, pool)

    assert answered == {key: value for key, value in answer.items() if key != "InterfaceName"}


def test_rule_17_on_a_network_of_ipv6_alone_docker_adds_no_second_interface_either(host: Plugin) -> None:
    (pool,) = host.network(cidrs=["fd00::/64"])

    answer = host.run(1, pool)

    assert ("fd00::1", True) == (answer["GatewayIPv6"], answer["DisableGatewayService"])
    assert "Gateway" not in answer


def test_rule_18_the_gateway_is_that_of_the_endpoints_own_subnet(host: Plugin) -> None:
    first, second = host.network(cidrs=["10.1.0.0/24", "10.2.0.0/24"])

    assert ["10.1.0.1", "10.2.0.1"] == [host.run(1, first)["Gateway"], host.run(2, second)["Gateway"]]


def test_rule_19_ports_are_programmed_and_revoked_any_number_of_times_or_not_at_all(host: Plugin, pool: str) -> None:
    host.run(1, pool)
    for method in ("Program", "Program", "Revoke", "Revoke", "Program"):
        host.call(f"NetworkDriver.{method}ExternalConnectivity", **ONE)
    host.call("NetworkDriver.Leave", **ONE)  # no Revoke before it
    host.call("NetworkDriver.DeleteEndpoint", **ONE)
    host.settled()

    assert {} == host.actual()["links"]


@pytest.mark.parametrize("body", [ONE, {}, b"", b"{", b"[]", {"NetworkID": 7}], ids=str)
def test_rule_20_what_an_endpoint_does_is_never_an_error(host: Plugin, body: object) -> None:
    host.store.cut()

    assert {"Value": {}} == host.post("NetworkDriver.EndpointOperInfo", body)


@pytest.mark.parametrize(
    ("options", "prefix"), [({}, "eth"), ({"com.docker.network.container_iface_prefix": "net"}, "net")]
)
def test_rule_21_interfaces_in_containers_are_called_as_the_network_says(
    host: Plugin, options: dict[str, str], prefix: str
) -> None:
    (pool,) = host.network(options=options)

    assert prefix == host.run(1, pool)["InterfaceName"]["DstPrefix"]


def test_rule_22_a_mac_is_made_from_the_address(host: Plugin, pool: str) -> None:
    seen = []
    for number in (1, 2):  # the container comes back: another endpoint, the same address
        interface = {"Address": "10.1.0.77/24", "AddressIPv6": "", "MacAddress": ""}
        body = {"NetworkID": NETWORK, "EndpointID": endpoint_id(number), "Interface": interface, "Options": {}}
        seen.append(host.call("NetworkDriver.CreateEndpoint", **body)["Interface"]["MacAddress"])
        host.call("NetworkDriver.DeleteEndpoint", NetworkID=NETWORK, EndpointID=endpoint_id(number))

    assert ["02:42:0a:01:00:4d"] * 2 == seen


def test_rule_23_what_docker_does_not_tell_is_said_by_options(host: Plugin) -> None:
    host.network(options={"moorage.network": "web", "moorage.tenant": "team-a", "moorage.kind": "bridge"})

    (network,) = host.records.networks
    tenant = host.records.tenants.get(network.tenant)
    assert tenant is not None
    assert ("web", "team-a") == (network.name, tenant.name)


def test_rule_25_the_scope_is_local(host: Plugin) -> None:
    assert {"Scope": "local", "ConnectivityScope": "local", "GwAllocChecker": True} == host.post(
        "NetworkDriver.GetCapabilities"
    )


@pytest.mark.parametrize("options", [None, {}, {"o1": "v1"}, {"moorage.mtu": "1400", "o1": "v1"}])
def test_rule_26_what_swarm_is_answered_repeats_the_users_options(host: Plugin, options: dict[str, str] | None) -> None:
    answer = host.call("NetworkDriver.AllocateNetwork", NetworkID="ral21pehzoyce25k4762nmfqi", Options=options)

    assert (options or {}) == answer["Options"]


def test_rule_30_a_join_waits_no_longer_than_it_was_told_to() -> None:
    with plugin(join_within=0.2) as host:
        (pool,) = host.network()
        began = time.monotonic()

        host.run(1, pool)

        assert 0.2 <= time.monotonic() - began < 2


def test_rule_30_a_call_waits_for_the_system_no_longer_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netplugin.driver.SYSTEM_WITHIN", 0.2)
    host = Plugin()  # its loop hangs: it was never started
    with plugin(store=host.store):
        text = host.refused("NetworkDriver.CreateNetwork", NEEDS_A_BODY["NetworkDriver.CreateNetwork"])

    assert "could not be made: not reached in time" in text


def test_the_gateway_is_not_kept_from_containers_where_there_is_none(host: Plugin) -> None:
    for options, skip in [({}, False), ({"moorage.gateway": "none"}, True), ({"moorage.gateway": "routed"}, False)]:
        answer = host.call("NetworkDriver.GwAllocCheck", Options={"com.docker.network.generic": options})

        assert {"SkipIPv4": skip, "SkipIPv6": skip} == answer
    assert host.call("NetworkDriver.GwAllocCheck", Options={"com.docker.network.internal": True})["SkipIPv4"]


def test_our_ipam_driver_asks_for_neither_macs_nor_replays(host: Plugin) -> None:
    assert {"RequiresMACAddress": False, "RequiresRequestReplay": False} == host.post("IpamDriver.GetCapabilities")
    assert {"LocalDefaultAddressSpace": "moorage-local", "GlobalDefaultAddressSpace": "moorage-global"} == host.post(
        "IpamDriver.GetDefaultAddressSpaces"
    )


def test_an_unknown_method_is_404_which_docker_takes_for_not_there(host: Plugin) -> None:
    assert 404 == host.docker.post("/NetworkDriver.NoSuch", data=b"{}").status_code
    assert 404 == host.docker.post("/VolumeDriver.List", data=b"{}").status_code


def test_a_word_of_the_controller_wakes_the_join_that_waits_for_it() -> None:
    store = MemoryStore()
    with plugin(store=store, join="strict", join_within=20.0) as host, controller(store):
        (pool,) = host.network()

        assert host.run(1, pool)["InterfaceName"]


def test_an_endpoint_that_goes_while_its_join_waits_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with plugin(join_within=20.0) as host:
        (pool,) = host.network()
        endpoint = host.endpoint(1, host.address(pool))
        waits, confirm = threading.Event(), host.driver._confirm

        def confirmed(joined: Endpoint) -> None:
            waits.set()
            confirm(joined)

        monkeypatch.setattr(host.driver, "_confirm", confirmed)
        thread = threading.Thread(target=host.join, args=(endpoint,))
        thread.start()
        assert waits.wait(5)
        host.call("NetworkDriver.DeleteEndpoint", **ONE)
        thread.join(5)

        assert not thread.is_alive()


def test_another_word_about_the_endpoint_does_not_end_the_wait() -> None:
    with plugin(join="strict", join_within=0.2) as host:
        (pool,) = host.network()
        endpoint = host.endpoint(1, host.address(pool))
        (found,) = host.records.endpoints
        assert isinstance(found, Endpoint)
        host.store.commit([Update(found, dataclasses.replace(found, labels={"a": "b"}))])

        assert "not confirmed" in host.refused("NetworkDriver.Join", {**ONE, "EndpointID": endpoint})


def in_parallel(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
