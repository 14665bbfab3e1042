"""Whatever Docker asks, in whatever order, how often, and whatever it forgets to: the system is what the records say.

Networks and endpoints are few and have few addresses to share, so that calls meet.  Docker is modelled by what it
believes: what an answer without an error told it, until it deletes it; a delete may be lost on the way.
"""

from __future__ import annotations

import contextlib
import ipaddress
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from netplugin.forgotten import Forgotten, Known
from records.model import Use
from tests.plugin import HOST, Plugin, endpoint_id, plugin
from tests.quiet import quiet

CIDRS = ("10.1.0.0/28", "10.2.0.0/29", "10.3.0.0/30", "fd00::/124", "10.2.0.0/31")
NETWORKS = tuple(f"{number:x}" * 64 for number in (10, 11, 12))
OPTIONS: tuple[dict[str, str], ...] = (
    {},
    {"moorage.gateway": "none"},
    {"moorage.isolation": "tenant"},
    {"moorage.isolation": "open"},
    {"moorage.gateway": "routed", "moorage.mtu": "1400"},
)
METHODS = ("CreateNetwork", "CreateEndpoint", "Join", "Leave", "DeleteEndpoint", "DeleteNetwork")

networks = st.sampled_from(NETWORKS)
which = st.integers(0, 5)  # of those that are there
lost = st.sampled_from([False, False, True])


class Docker(RuleBasedStateMachine):
    """Docker on one host, with a plugin whose system is dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = contextlib.ExitStack()
        self.ends.enter_context(quiet())
        self.host: Plugin = self.ends.enter_context(plugin())
        self.networks: dict[str, list[tuple[str, str]]] = {}  # id -> pools: (PoolID, CIDR)
        self.endpoints: dict[str, tuple[str, str, str]] = {}  # id -> network, PoolID, address
        self.number = 0
        self.stale = False  # whether something may be left of what Docker has forgotten

    def ask(self, method: str, body: Any) -> dict[str, Any] | None:
        """Return the answer, or None for an error."""
        answer = self.host.post(method, body)
        return None if "Err" in answer else answer

    @initialize(options=st.sampled_from(OPTIONS))
    def two_networks_and_two_endpoints(self, options: dict[str, str]) -> None:
        for network, cidr in zip(NETWORKS, CIDRS[1:3], strict=False):
            self.create_network(network, cidr, options, again=False)
        for chosen in range(2):
            self.create_endpoint(chosen, None, again=False, dies=False)

    @rule(network=networks, cidr=st.sampled_from(CIDRS), options=st.sampled_from(OPTIONS), again=st.booleans())
    def create_network(self, network: str, cidr: str, options: dict[str, str], *, again: bool) -> None:
        if network in self.networks:
            return
        v6 = ":" in cidr
        pool = self.ask("IpamDriver.RequestPool", {"Pool": cidr, "V6": v6})
        if pool is None:
            return
        found = [(pool["PoolID"], cidr)]
        body = {"PoolID": pool["PoolID"], "Options": {"RequestAddressType": "com.docker.network.gateway"}}
        gateway = self.ask("IpamDriver.RequestAddress", body)
        if gateway is None:
            self.stale = True
            return
        data = [{"AddressSpace": "moorage-local", "Pool": pool["Pool"], "Gateway": gateway["Address"]}]
        create = {
            "NetworkID": network,
            "Options": {"com.docker.network.generic": options},
            "IPv4Data": [] if v6 else data,
            "IPv6Data": data if v6 else [],
        }
        made = self.ask("NetworkDriver.CreateNetwork", create)
        if made is None:
            self.stale = True  # Docker would give the pool back; that is lost too
            return
        self.networks[network] = found
        if again:
            self.host.post("NetworkDriver.CreateNetwork", create)

    @precondition(lambda self: self.networks)
    @rule(chosen=which, fixed=st.none() | st.integers(0, 7), again=st.booleans(), dies=lost)
    def create_endpoint(self, chosen: int, fixed: int | None, *, again: bool, dies: bool) -> None:
        network = list(self.networks)[chosen % len(self.networks)]
        pool, cidr = self.networks[network][0]
        self.number += 1
        number = self.number
        ip = "" if fixed is None else str(ipaddress.ip_network(cidr)[0] + fixed)
        taken = self.ask("IpamDriver.RequestAddress", {"PoolID": pool, "Address": ip, "Options": {}})
        if taken is None or dies:  # dockerd is killed, and will not remember the address
            self.stale |= dies
            return
        address = taken["Address"]
        interface = {"Address": "" if ":" in cidr else address, "AddressIPv6": address if ":" in cidr else ""}
        body = {"NetworkID": network, "EndpointID": endpoint_id(number), "Interface": interface, "Options": {}}
        if self.ask("NetworkDriver.CreateEndpoint", body) is None:
            self.ask("IpamDriver.ReleaseAddress", {"PoolID": pool, "Address": address.partition("/")[0]})
            return
        self.endpoints[endpoint_id(number)] = (network, pool, address.partition("/")[0])
        if again:
            self.host.post("NetworkDriver.CreateEndpoint", body)

    @precondition(lambda self: self.endpoints)
    @rule(chosen=which, times=st.integers(1, 2))
    def join(self, chosen: int, times: int) -> None:
        key = list(self.endpoints)[chosen % len(self.endpoints)]
        for _ in range(times):
            body = {"NetworkID": self.endpoints[key][0], "EndpointID": key, "SandboxKey": f"/netns/{chosen}"}
            joined = self.ask("NetworkDriver.Join", body)
            if joined is not None:
                assert joined["InterfaceName"]["SrcName"] == self.host.actual()["links"][key].peer

    @precondition(lambda self: self.endpoints)
    @rule(chosen=which)
    def leave(self, chosen: int) -> None:
        """Docker takes the endpoint out of its container; it may join again, or be deleted."""
        key = list(self.endpoints)[chosen % len(self.endpoints)]
        self.ask("NetworkDriver.Leave", {"NetworkID": self.endpoints[key][0], "EndpointID": key})

    @precondition(lambda self: self.endpoints)
    @rule(chosen=which, gone=lost, address_gone=lost, backwards=st.booleans(), times=st.integers(1, 2))
    def delete_endpoint(self, chosen: int, times: int, *, gone: bool, address_gone: bool, backwards: bool) -> None:
        """Docker goes on whatever the plugin answers: an error is a delete that is lost."""
        key = list(self.endpoints)[chosen % len(self.endpoints)]
        network, pool, ip = self.endpoints.pop(key)
        only = {"NetworkID": network, "EndpointID": key}
        calls = [("NetworkDriver.RevokeExternalConnectivity", only), ("NetworkDriver.Leave", only)] * times
        calls += [] if gone else [("NetworkDriver.DeleteEndpoint", only)] * times
        calls += [] if address_gone else [("IpamDriver.ReleaseAddress", {"PoolID": pool, "Address": ip})]
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
    @rule(layer=st.sampled_from(["links", "ports", "gateways", "firewall"]))
    def somebody_meddles(self, layer: str) -> None:
        """A thing of ours is gone; events of the system, or else the look every 30 s, tell."""
        there = self.host.system[layer].there
        if there:
            there.pop(min(there))
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
        for key, (_, pool, ip) in self.endpoints.items():
            assert self.host.records.endpoints.one(docker_id=key) is not None
            assert any(str(a.ip) == ip and str(a.subnet) == pool for a in self.host.records.addresses)

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
        numbers = [e.ofport for e in records.endpoints] + [v.ofport for v in records.vrfs]
        assert len(numbers) == len(set(numbers))

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
            network, pool, ip = self.endpoints.pop(key)
            self.host.call("NetworkDriver.Leave", NetworkID=network, EndpointID=key)
            self.host.call("NetworkDriver.DeleteEndpoint", NetworkID=network, EndpointID=key)
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
