"""Whatever Docker asks, in whatever order, how often, and whatever it forgets to: the system is what the records say.

Networks and endpoints are few and have few addresses to share, so that calls meet.  Docker is modelled by what it
believes: what an answer without an error told it, until it deletes it; a delete may be lost on the way.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from netplugin.forgotten import Forgotten, Known
from netplugin.plan.claims import overlap
from records.model import Use
from tests.plugin import HOST, Plugin, endpoint_id, plugin
from tests.quiet import quiet

CIDRS = (
    ("10.1.0.0/28",),
    ("10.2.0.0/29",),
    ("10.3.0.0/30",),
    ("fd00::/124",),
    ("10.2.0.0/31",),
    ("10.1.0.0/29", "fd01::/125"),
)
NETWORKS = tuple(f"{number:x}" * 64 for number in (10, 11, 12))
OPTIONS: tuple[dict[str, str], ...] = (
    {},
    {"moorage.gateway": "none"},
    {"moorage.isolation": "tenant"},
    {"moorage.isolation": "open"},
    {"moorage.gateway": "routed", "moorage.mtu": "1400"},
    {"moorage.kind": "vlan", "moorage.segment": "7", "moorage.uplink": "eth1"},
)
PORTS: tuple[tuple[str, int, int, int], ...] = (  # address and first and last port of the host, port of the container
    ("", 8080, 8080, 80),
    ("127.0.0.1", 8080, 8080, 80),
    ("::1", 8080, 8080, 81),
    ("", 8080, 8082, 82),
    ("", 0, 0, 83),
)
METHODS = ("CreateNetwork", "CreateEndpoint", "Join", "Leave", "DeleteEndpoint", "DeleteNetwork")

networks = st.sampled_from(NETWORKS)
which = st.integers(0, 5)  # of those that are there
ports = st.lists(st.sampled_from(PORTS), max_size=2)
lost = st.sampled_from([False, False, True])


class Docker(RuleBasedStateMachine):
    """Docker on one host, with a plugin whose system is dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = contextlib.ExitStack()
        self.ends.enter_context(quiet())
        self.host: Plugin = self.ends.enter_context(plugin())
        self.networks: dict[str, list[tuple[str, str]]] = {}  # id -> pools: (PoolID, CIDR)
        self.endpoints: dict[str, tuple[str, list[tuple[str, str]]]] = {}  # id -> network, its (PoolID, address)
        self.number = 0
        self.stale = False  # whether something may be left of what Docker has forgotten

    def ask(self, method: str, body: Any) -> dict[str, Any] | None:
        """Return the answer, or None for an error."""
        answer = self.host.post(method, body)
        return None if "Err" in answer else answer

    @initialize(options=st.sampled_from(OPTIONS))
    def two_networks_and_two_endpoints(self, options: dict[str, str]) -> None:
        for network, cidrs in zip(NETWORKS, CIDRS[1:3], strict=False):
            self.create_network(network, cidrs, options, again=False)
        for chosen in range(2):
            self.create_endpoint(chosen, None, again=False, dies=False)

    @rule(network=networks, cidrs=st.sampled_from(CIDRS), options=st.sampled_from(OPTIONS), again=st.booleans())
    def create_network(self, network: str, cidrs: tuple[str, ...], options: dict[str, str], *, again: bool) -> None:
        """Where any call fails Docker would give back what it has; that is lost too."""
        if network in self.networks:
            return
        found: list[tuple[str, str]] = []
        data: dict[bool, list[dict[str, str]]] = {False: [], True: []}
        for cidr in cidrs:
            pool = self.ask("IpamDriver.RequestPool", {"Pool": cidr, "V6": ":" in cidr})
            self.stale |= pool is None and bool(found)
            if pool is None:
                return
            found.append((pool["PoolID"], cidr))
            body = {"PoolID": pool["PoolID"], "Options": {"RequestAddressType": "com.docker.network.gateway"}}
            gateway = self.ask("IpamDriver.RequestAddress", body)
            if gateway is None:
                self.stale = True
                return
            data[":" in cidr].append({"Pool": pool["Pool"], "Gateway": gateway["Address"]})
        create = {
            "NetworkID": network,
            "Options": {"com.docker.network.generic": options},
            "IPv4Data": data[False],
            "IPv6Data": data[True],
        }
        if self.ask("NetworkDriver.CreateNetwork", create) is None:
            self.stale = True
            return
        self.networks[network] = found
        if again:
            self.host.post("NetworkDriver.CreateNetwork", create)

    @precondition(lambda self: self.networks)
    @rule(chosen=which, fixed=st.none() | st.integers(0, 7), again=st.booleans(), dies=lost)
    def create_endpoint(self, chosen: int, fixed: int | None, *, again: bool, dies: bool) -> None:
        network = list(self.networks)[chosen % len(self.networks)]
        self.number += 1
        key = endpoint_id(self.number)
        held: list[tuple[str, str]] = []
        interface: dict[str, str] = {}
        for pool, cidr in self.networks[network]:
            ip = "" if fixed is None else str(ipaddress.ip_network(cidr)[0] + fixed)
            taken = self.ask("IpamDriver.RequestAddress", {"PoolID": pool, "Address": ip, "Options": {}})
            if taken is None or dies:  # dockerd is killed, and will not remember the address
                self.stale |= dies or bool(held)
                return
            held.append((pool, taken["Address"].partition("/")[0]))
            interface["AddressIPv6" if ":" in cidr else "Address"] = taken["Address"]
        body = {"NetworkID": network, "EndpointID": key, "Interface": interface, "Options": {}}
        if self.ask("NetworkDriver.CreateEndpoint", body) is None:
            for pool, ip in held:
                self.stale |= self.ask("IpamDriver.ReleaseAddress", {"PoolID": pool, "Address": ip}) is None
            return
        self.endpoints[key] = (network, held)
        if again:
            self.host.post("NetworkDriver.CreateEndpoint", body)

    @precondition(lambda self: self.endpoints)
    @rule(chosen=which, times=st.integers(1, 2), asked=ports)
    def join(self, chosen: int, times: int, asked: list[tuple[str, int, int, int]]) -> None:
        key = list(self.endpoints)[chosen % len(self.endpoints)]
        for _ in range(times):
            body = {"NetworkID": self.endpoints[key][0], "EndpointID": key, "SandboxKey": f"/netns/{chosen}"}
            joined = self.ask("NetworkDriver.Join", body)
            if joined is not None:
                assert joined["InterfaceName"]["SrcName"] == self.host.actual()["links"][key].peer
                self.publish(chosen, asked, times)

    @precondition(lambda self: self.endpoints)
    @rule(chosen=which)
    def leave(self, chosen: int) -> None:
        """Docker takes the endpoint out of its container; it may join again, or be deleted."""
        key = list(self.endpoints)[chosen % len(self.endpoints)]
        self.ask("NetworkDriver.Leave", {"NetworkID": self.endpoints[key][0], "EndpointID": key})

    @precondition(lambda self: self.endpoints)
    @rule(chosen=which, asked=ports, times=st.integers(0, 2))
    def publish(self, chosen: int, asked: list[tuple[str, int, int, int]], times: int) -> None:
        """Docker does so after Join, and when the gateway moves; no times: it revokes."""
        key = list(self.endpoints)[chosen % len(self.endpoints)]
        ids = {"NetworkID": self.endpoints[key][0], "EndpointID": key}
        wire = [
            {"Proto": 6, "IP": "", "Port": port, "HostIP": ip, "HostPort": first, "HostPortEnd": last}
            for ip, first, last, port in asked
        ]
        for _ in range(times):
            body = {**ids, "Options": {"com.docker.network.portmap": wire}}
            self.ask("NetworkDriver.ProgramExternalConnectivity", body)
        if not times:
            self.ask("NetworkDriver.RevokeExternalConnectivity", ids)

    @precondition(lambda self: self.endpoints)
    @rule(chosen=which, gone=lost, address_gone=lost, backwards=st.booleans(), times=st.integers(1, 2))
    def delete_endpoint(self, chosen: int, times: int, *, gone: bool, address_gone: bool, backwards: bool) -> None:
        """Docker goes on whatever the plugin answers: an error is a delete that is lost."""
        key = list(self.endpoints)[chosen % len(self.endpoints)]
        network, held = self.endpoints.pop(key)
        only = {"NetworkID": network, "EndpointID": key}
        calls = [("NetworkDriver.RevokeExternalConnectivity", only), ("NetworkDriver.Leave", only)] * times
        calls += [] if gone else [("NetworkDriver.DeleteEndpoint", only)] * times
        for pool, ip in [] if address_gone else held:
            calls += [("IpamDriver.ReleaseAddress", {"PoolID": pool, "Address": ip})]
        for method, body in calls[::-1] if backwards else calls:
            self.stale |= self.ask(method, body) is None
        self.stale |= gone or address_gone

    @rule(network=networks, gone=lost, pool_gone=lost, times=st.integers(1, 2))
    def delete_network(self, network: str, times: int, *, gone: bool, pool_gone: bool) -> None:
        if any(known[0] == network for known in self.endpoints.values()):
            return  # Docker refuses it itself
        for pool, _ in self.networks.pop(network, []):
            if not pool_gone:
                self.stale |= self.ask("IpamDriver.ReleasePool", {"PoolID": pool}) is None
        for _ in range(0 if gone else times):
            self.stale |= self.ask("NetworkDriver.DeleteNetwork", {"NetworkID": network}) is None
        self.stale |= gone or pool_gone

    @rule(method=st.sampled_from(METHODS), body=st.sampled_from([b"", b"{", b"{}", b"[]"]))
    def come_without_sense(self, method: str, body: bytes) -> None:
        before = self.host.records
        assert self.ask(f"NetworkDriver.{method}", body) is None
        assert before is self.host.records

    @rule(away=lost)
    def cut_or_mend_the_database(self, *, away: bool) -> None:
        if away:
            self.host.store.cut()
        else:
            self.host.store.mend()

    @precondition(lambda self: self.endpoints)
    @rule(layer=st.sampled_from(["links", "ports", "gateways", "firewall", "reservations", "uplinks"]))
    def somebody_meddles(self, layer: str) -> None:
        """A thing of ours is gone; events of the system, or else the look every 30 s, tell."""
        there = self.host.system[layer].there
        if there:
            there.pop(min(there, key=str))  # keys of one layer may be of several types
        self.host.swept()

    @precondition(lambda self: self.stale and self.host.store.problem() is None)
    @rule()
    def what_docker_has_forgotten_is_removed(self) -> None:
        ids = {
            network: frozenset(key for key, known in self.endpoints.items() if known[0] == network)
            for network in self.networks
        }
        known = Known(ids, frozenset(cidr for pools in self.networks.values() for _, cidr in pools))
        Forgotten(self.host.store, HOST, lambda: known, after=0.0).look()
        self.stale = False
        records = self.host.records
        assert set(self.networks) == {on.docker_id for on in records.docker_networks}
        assert {e.docker_id for e in records.endpoints} <= set(self.endpoints)
        held = {a.ip for a in records.addresses if a.use is Use.ENDPOINT}
        used = {own.ip for e in records.endpoints for own in (e.ipv4, e.ipv6) if own is not None}
        assert held == used

    @invariant()
    def no_two_endpoints_share_an_address(self) -> None:
        for network in self.host.records.networks:
            ips = [
                own
                for e in self.host.records.endpoints.of(network=network.id)
                for own in (e.ipv4, e.ipv6)
                if own is not None
            ]
            assert len(ips) == len(set(ips))

    @invariant()
    def what_docker_believes_is_in_the_records(self) -> None:
        """An endpoint that Docker has not deleted is there, and nobody else is given its address."""
        held = {(str(a.subnet), str(a.ip)) for a in self.host.records.addresses}
        for key, (_, addresses) in self.endpoints.items():
            assert self.host.records.endpoints.one(docker_id=key) is not None
            assert set(addresses) <= held

    @invariant()
    def every_address_is_accounted_for(self) -> None:
        records = self.host.records
        for address in records.addresses:
            subnet = records.subnets.get(address.subnet)
            assert subnet is not None
            assert address.ip in subnet.cidr
        for endpoint in records.endpoints:
            assert records.networks.get(endpoint.network) is not None

    @invariant()
    def numbers_are_given_once(self) -> None:
        records = self.host.records
        numbers = [one.ofport for one in (*records.endpoints, *records.vrfs, *records.uplinks)]
        assert len(numbers) == len(set(numbers))
        assert len(list(records.networks)) == len({(n.kind, n.segment) for n in records.networks})

    @invariant()
    def subnets_share_no_address(self) -> None:
        for one, other in itertools.combinations(self.host.records.subnets, 2):
            apart = one.space != other.space or one.cidr.version != other.cidr.version
            assert apart or not one.cidr.overlaps(other.cidr)

    @invariant()
    def no_two_containers_publish_one_port(self) -> None:
        for one, other in itertools.combinations(self.host.records.published, 2):
            same = (one.protocol, one.host_port) == (other.protocol, other.host_port)
            assert not (same and overlap(one.host_ip, other.host_ip))

    @invariant()
    def nothing_is_left_of_what_has_gone(self) -> None:
        records = self.host.records
        assert {p.endpoint for p in records.published} <= {e.id for e in records.endpoints}
        assert {v.id for v in records.vrfs} == {on.vrf for on in records.docker_networks}
        assert {u.id for u in records.uplinks} == {on.uplink for on in records.docker_networks if on.uplink}
        assert {n.id for n in records.networks} == {on.network for on in records.docker_networks}

    @invariant()
    def the_system_is_what_the_records_say(self) -> None:
        self.host.settled()
        assert self.host.planned() == self.host.actual()

    def teardown(self) -> None:
        try:
            self.everything_is_deleted()
        finally:
            self.ends.close()

    def everything_is_deleted(self) -> None:
        self.host.store.mend()
        for key in list(self.endpoints):
            network, held = self.endpoints.pop(key)
            self.host.call("NetworkDriver.Leave", NetworkID=network, EndpointID=key)
            self.host.call("NetworkDriver.DeleteEndpoint", NetworkID=network, EndpointID=key)
            for pool, ip in held:
                self.host.call("IpamDriver.ReleaseAddress", PoolID=pool, Address=ip)
        for network in list(self.networks):
            self.networks.pop(network)
            self.host.call("NetworkDriver.DeleteNetwork", NetworkID=network)
        Forgotten(self.host.store, HOST, lambda: Known({}, frozenset()), after=0.0).look()  # what was lost before
        assert {} == self.host.left()
        self.host.settled()
        nothing: dict[str, dict[Any, Any]] = {name: {} for name in self.host.system if name != "bridge"}
        assert nothing == {name: there for name, there in self.host.actual().items() if name != "bridge"}


TestDocker = Docker.TestCase
TestDocker.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # add Phase.shrink for a shorter failure, in minutes
)
