"""The network plugin as Docker sees it, without a system: application, real loop, records and links in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from daemonkit.diff import Diff
from daemonkit.failures import Key
from daemonkit.loop import EVERYTHING, Layer, Loop
from daemonkit.metrics import Metrics
from netplugin.app import application
from netplugin.changes import concerned
from netplugin.driver import JoinMode, NetworkDriver
from netplugin.plan import wiring
from netplugin.plan.bridge import Bridges
from netplugin.plan.connections import Connections
from netplugin.plan.firewall import Firewall
from netplugin.plan.reservations import Reservations
from netplugin.pools import Pools
from netplugin.publishing import spelled
from netplugin.uplinks import Nic
from records.hosts import ensure_host
from records.memory import MemoryStore
from records.model import Endpoint
from records.snapshot import Records
from records.store import Change
from records.writes import Update
from tests.docker_calls import Calls

HOST = "a"
SUBNET = "10.1.0.0/24"
NETWORK = "ab" * 32


def endpoint_id(number: int) -> str:
    """Return an id like Docker's: 64 hex digits that differ from the first on."""
    return f"{number:04x}" * 16


class Dictionary:
    """A system that is a dictionary; while `broken` says why, nothing can be changed in it."""

    def __init__(self) -> None:
        self.there: dict[Any, Any] = {}
        self.broken: str | None = None

    def read(self, keys: Collection[Any] | None) -> Mapping[Any, Any]:
        return {key: value for key, value in self.there.items() if keys is None or key in keys}

    def apply(self, change: Diff[Any, Any]) -> Mapping[Any, str]:
        if self.broken is not None:
            raise OSError(self.broken)
        self.there |= {**change.create, **change.change}
        for key in change.delete:
            self.there.pop(key, None)
        return {}


class Plugin(Calls):
    """The daemon of one host, to be called as dockerd calls it."""

    def __init__(
        self, store: MemoryStore | None = None, *, join: JoinMode = "lenient", join_within: float = 0.0
    ) -> None:
        self.store = store or MemoryStore()
        self.metrics = Metrics("test", "0")
        self.without_container: set[str] = set()
        self.planners: dict[str, Any] = {
            "bridge": Bridges("moorage0", "netdev"),
            "links": wiring.Links(HOST, self.without_container),
            "ports": wiring.Ports(HOST),
            "uplinks": wiring.Uplinks(HOST),
            "gateways": wiring.Gateways(HOST),
            "reservations": Reservations(HOST),
            "firewall": Firewall(HOST),
            "connections": Connections(HOST),
        }
        self.system = {name: Dictionary() for name in self.planners}
        layers = [Layer(name, self.planners[name], self.system[name]) for name in self.planners]
        self.loop: Loop[Records] = Loop(layers, self.store.snapshot, resync=3600.0)
        self.unconfirmed = 0
        self.taken: dict[tuple[str, str, int], str] = {}  # ports that the host cannot serve, and why
        self.nics = {"eth1": Nic(mtu=1500)}
        self.driver = NetworkDriver(
            self.store,
            HOST,
            self.loop,
            join=join,
            join_within=join_within,
            unconfirmed=self._count,
            look=lambda protocol, ip, port: self.taken.get((str(protocol), str(ip), port)),
            nics=self.nics.get,
            left=self.without_container,
        )
        self.pools = Pools(self.store, HOST)
        self.app = application("moorage-netplugin", self.driver, self.pools, self.metrics)
        self.docker = self.app.test_client()
        self.store.watch(self._poke)

    def _count(self) -> None:
        self.unconfirmed += 1

    def _poke(self, changes: Sequence[Change]) -> None:
        if (keys := concerned(changes)) != set():
            self.loop.poke(keys)

    @property
    def records(self) -> Records:
        return self.store.snapshot()

    def settled(self, *keys: Key) -> None:
        """Wait until the loop has seen what has been poked so far, and `keys` are well."""
        failing = self.loop.settle(keys or [("bridge", "moorage0")], time.monotonic() + 5.0)
        assert not failing, failing

    def swept(self) -> None:
        """Wait until a full pass has left nothing to do."""
        self.settled(*((name, EVERYTHING) for name in self.system))

    def planned(self) -> dict[str, dict[Any, Any]]:
        """Return what the system should be, layer by layer."""
        return {name: plan(planner, self.records) for name, planner in self.planners.items()}

    def actual(self) -> dict[str, dict[Any, Any]]:
        """Return what the system is."""
        return {name: dict(one.there) for name, one in self.system.items()}

    def left(self) -> dict[str, int]:
        """Return how many records there are of each table that Docker's calls fill."""
        tables = ("Network", "Subnet", "Block", "Address", "Vrf", "Docker_Network", "Endpoint", "Published")
        return {name: len(self.records.tables[name]) for name in tables if len(self.records.tables[name])}

    # What `docker` makes of a person's commands, shortened to what the tests vary.

    def pool(self, cidr: str = SUBNET, **more: Any) -> tuple[str, str]:
        """Ask for a pool as `docker network create --subnet` does; return its id and CIDR."""
        body = {"AddressSpace": "moorage-local", "Pool": cidr, "SubPool": "", "Options": {}, "V6": ":" in cidr} | more
        answer = self.call("IpamDriver.RequestPool", **body)
        return answer["PoolID"], answer["Pool"]

    def address(self, pool: str, ip: str = "", *, gateway: bool = False) -> str:
        """Ask for an address; return it with its prefix length."""
        options = {"RequestAddressType": "com.docker.network.gateway"} if gateway else None
        answer = self.call("IpamDriver.RequestAddress", PoolID=pool, Address=ip, Options=options)
        return str(answer["Address"])

    def network(
        self,
        network: str = NETWORK,
        cidrs: Sequence[str] = (SUBNET,),
        options: Mapping[str, str] | None = None,
        *,
        internal: bool = False,
    ) -> list[str]:
        """Create a network with our IPAM driver, call by call as dockerd does; return its pools' ids."""
        made = [(*self.pool(cidr), cidr) for cidr in cidrs]
        data: dict[int, list[dict[str, Any]]] = {4: [], 6: []}
        for pool, cidr, _ in made:
            one = {"AddressSpace": "moorage-local", "Pool": cidr, "Gateway": self.address(pool, gateway=True)}
            data[6 if ":" in cidr else 4].append(one)
        given = {"com.docker.network.enable_ipv6": bool(data[6]), "com.docker.network.generic": dict(options or {})}
        if internal:
            given["com.docker.network.internal"] = True
        self.call(
            "NetworkDriver.CreateNetwork",
            NetworkID=network,
            Options=given,
            IPv4Data=data[4],
            IPv6Data=data[6],
        )
        return [pool for pool, _, _ in made]

    def endpoint(self, number: int, address: str, network: str = NETWORK, **more: Any) -> str:
        """Create an endpoint; return its id."""
        interface = {"Address": "" if ":" in address else address, "AddressIPv6": address if ":" in address else ""}
        self.call(
            "NetworkDriver.CreateEndpoint",
            NetworkID=network,
            EndpointID=endpoint_id(number),
            Interface={**interface, "MacAddress": ""},
            Options={},
            **more,
        )
        return endpoint_id(number)

    def join(self, endpoint: str, network: str = NETWORK) -> dict[str, Any]:
        """Join an endpoint to a sandbox."""
        body = {"NetworkID": network, "EndpointID": endpoint, "SandboxKey": "/var/run/docker/netns/29063855d9f4"}
        return self.call("NetworkDriver.Join", **body, Options={})

    def publish(self, endpoint: str, *ports: Mapping[str, Any], network: str = NETWORK) -> list[str]:
        """Publish ports of an endpoint as dockerd does; return what is published of it."""
        self.call("NetworkDriver.ProgramExternalConnectivity", **asks(endpoint, *ports, network=network))
        return self.published(endpoint)

    def published(self, endpoint: str) -> list[str]:
        """Return the endpoint's published ports, as `docker port` spells them."""
        found = self.records.endpoints.one(docker_id=endpoint)
        return [] if found is None else sorted(spelled(row) for row in self.records.published.of(endpoint=found.id))

    def run(self, number: int, pool: str, network: str = NETWORK) -> dict[str, Any]:
        """Start a container; return what Join answers."""
        return self.join(self.endpoint(number, self.address(pool), network), network)


def asks(endpoint: str, *ports: Mapping[str, Any], network: str = NETWORK) -> dict[str, Any]:
    """Return the body of a ProgramExternalConnectivity."""
    return {"NetworkID": network, "EndpointID": endpoint, "Options": {"com.docker.network.portmap": list(ports)}}


def port(container: int, host: int = 0, last: int = 0, ip: str = "", protocol: int = 6) -> dict[str, Any]:
    """Return an entry of Docker's port map."""
    return {
        "Proto": protocol,
        "IP": "",
        "Port": container,
        "HostIP": ip,
        "HostPort": host,
        "HostPortEnd": last or host,
    }


def plan(planner: Any, records: Records) -> dict[Any, Any]:
    """Return all that a planner wants."""
    wants = {key: planner.want(records, key) for key in planner.keys(records)}
    return {key: want for key, want in wants.items() if want is not None}


@contextlib.contextmanager
def plugin(**arguments: Any) -> Iterator[Plugin]:
    """Run a plugin whose host has its record."""
    made = Plugin(**arguments)
    ensure_host(made.store, HOST, "netplugin", "0")
    made.loop.start()
    try:
        yield made
    finally:
        made.loop.stop()


@contextlib.contextmanager
def controller(store: MemoryStore, problem: str | None = None) -> Iterator[None]:
    """Mark each new endpoint up, or with a problem, from a thread of its own, as the controller does."""
    news: list[Endpoint] = []
    there, ended = threading.Condition(), False

    def notice(changes: Sequence[Change]) -> None:
        with there:
            news.extend(c.new for c in changes if isinstance(c.new, Endpoint) and c.old is None)
            there.notify_all()

    def work() -> None:
        while True:
            with there:
                there.wait_for(lambda: news or ended)
                if ended:
                    return
                endpoint = news.pop()
            now = store.snapshot().endpoints.get(endpoint.id)
            if now is not None:
                store.commit([Update(now, dataclasses.replace(now, up=problem is None, problem=problem))])

    thread = threading.Thread(target=work)
    store.watch(notice)
    thread.start()
    try:
        yield
    finally:
        with there:
            ended = True
            there.notify_all()
        thread.join()
