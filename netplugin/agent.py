"""`moorage-netplugin`: how the network plugin of a host is put together; reading it is reading its contents."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemonkit.config import Config
from daemonkit.daemon import run
from daemonkit.version import version

if TYPE_CHECKING:
    from flask import Flask

    from records.store import Change, Store

NAME = "moorage-netplugin"
PATIENCE = 3.0  # seconds that deletions of ports wait for company: 20 cost what one costs


class Agent:
    """The parts of the daemon, made in the worker process."""

    def __init__(self, config: Config) -> None:
        from daemonkit.admin import AdminServer
        from daemonkit.loop import Loop
        from daemonkit.metrics import Metrics
        from netplugin.docker import Docker
        from netplugin.driver import NetworkDriver
        from netplugin.forgotten import Forgotten
        from netplugin.pools import Pools
        from netplugin.system import reservations
        from netplugin.system.nics import Nics
        from netplugin.system.openvswitch import OpenVSwitch
        from records.ovsdb import OvsdbStore

        self.config = config
        self.host = config.host_name()
        self.metrics = Metrics(NAME, version())
        self.store: Store = OvsdbStore(config.records.remote)
        reservations.allow_many()
        self.reservations = reservations.Reservations()
        self.openvswitch = OpenVSwitch(config.openvswitch.database)
        self.left: set[str] = set()  # endpoints that Docker has taken out of their containers and not deleted yet
        self.loop = Loop(
            list(self._layers()), self.store.snapshot, resync=config.netplugin.resync, metrics=self.metrics.loop
        )
        self.pools = Pools(self.store, self.host)
        self.driver = NetworkDriver(
            self.store,
            self.host,
            self.loop,
            join=config.netplugin.join,
            join_within=config.netplugin.join_within,
            unconfirmed=self.metrics.counter(
                "moorage_joins_unconfirmed", "Containers started before the controller confirmed their flows."
            ),
            look=self.reservations.look,
            ephemeral=reservations.ephemeral,
            nics=Nics(self.openvswitch).look,
            uplink=config.netplugin.uplink,
            left=self.left,
        )
        docker = Docker(config.netplugin.docker)
        driver = Path(config.netplugin.socket).stem  # Docker calls a driver as its socket is called (PROTOCOL rule 1)
        self.forgotten = Forgotten(self.store, self.host, lambda: docker.known(driver), config.netplugin.forget_after)
        self.admin = AdminServer(config.netplugin.admin, self._status, self.metrics)
        self._stopping = threading.Event()

    def _layers(self) -> Iterator[Any]:
        """Yield what the loop keeps as the records ask, in the order of creation."""
        from daemonkit.loop import Layer
        from netplugin.plan import wiring
        from netplugin.plan.bridge import Bridges
        from netplugin.plan.connections import Connections
        from netplugin.plan.firewall import Firewall
        from netplugin.plan.reservations import Reservations
        from netplugin.system import bridge, connections, gateways, iptables, links, uplinks
        from netplugin.system.datapath import datapath
        from netplugin.system.forwarding import Forwarding
        from netplugin.system.netlink import Netlink

        names, netlink = self.config.openvswitch, Netlink()
        forwarding = Forwarding(allowed=self.config.netplugin.ipv6_forwarding)
        kind = datapath(names.datapath)
        yield Layer("bridge", Bridges(names.bridge, kind), bridge.Bridges(self.openvswitch))
        pairs = links.Links(netlink, lambda: kind == "netdev" and not self.openvswitch.takes_offload())
        yield Layer("links", wiring.Links(self.host, self.left), pairs)
        yield Layer("ports", wiring.Ports(self.host), bridge.Ports(self.openvswitch, names.bridge), patience=PATIENCE)
        yield Layer("uplinks", wiring.Uplinks(self.host), uplinks.Uplinks(self.openvswitch, netlink))
        yield Layer("gateways", wiring.Gateways(self.host), gateways.Gateways(netlink, forwarding))
        # A port is ours before the rules take it from others, and still ours when these have gone.
        yield Layer("reservations", Reservations(self.host), self.reservations)
        yield Layer("firewall", Firewall(self.host), iptables.Firewall())
        # With patience, since what is deleted goes first: by then the rules have gone too.
        tracked = connections.Connections(netlink.own)
        yield Layer("connections", Connections(self.host), tracked, patience=PATIENCE)

    def start(self) -> None:
        """Start the threads; none of them is waited for, so that Docker's boot never waits for others (rule 2)."""
        from records.hosts import keep_trying

        self.store.watch(self._poke)
        self.openvswitch.watch(self._port_changed)
        self.admin.start()
        self.loop.start()
        keep_trying(self.store, self.host, "netplugin", version(), self._stopping)
        self.forgotten.start()

    def stop(self) -> None:
        """End the threads; links, ports, rules and flows stay: traffic goes on without us."""
        self._stopping.set()
        self.forgotten.stop()
        self.loop.stop()
        self.admin.stop()
        self.openvswitch.close()
        self.store.close()

    def app(self) -> Flask:
        """Return what Docker talks to."""
        from netplugin.app import application

        return application(NAME, self.driver, self.pools, self.metrics)

    def _poke(self, changes: Sequence[Change]) -> None:
        from netplugin.changes import concerned

        if (keys := concerned(changes)) != set():
            self.loop.poke(keys)

    def _port_changed(self, name: str) -> None:
        """Look at a gateway or uplink whose interface has come; Open vSwitch makes gateways after our transaction."""
        from netplugin.plan.wiring import uplink_key
        from records.model import GATEWAY_PORT, LINK

        if name.startswith(GATEWAY_PORT):
            self.loop.poke([key for key in self.loop.failures() if key[0] == "gateways"])
        elif not name.startswith(LINK):
            self.loop.poke([("ports", uplink_key(name)), ("uplinks", uplink_key(name))])

    def _status(self) -> dict[str, Any]:
        return {"host": self.host, "records": self.store.problem(), **self.loop.status()}


def main() -> None:
    """Run the daemon until it is told to stop."""
    run(NAME, Agent, lambda config: config.netplugin)


if __name__ == "__main__":
    main()
