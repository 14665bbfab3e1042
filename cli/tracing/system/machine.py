"""This host, asked by the journey: each answer is had once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cli.tracing.facts import CannotLook, Container, Route, Sending
from cli.tracing.places import Site, containers
from cli.tracing.rules import Ruleset
from cli.tracing.sockets import FILES, listens
from cli.tracing.system import iptables
from cli.tracing.system.docker import DockerKnows
from cli.tracing.system.kernel import Kernel, sending
from cli.tracing.system.openvswitch import Switch
from daemonkit.config import Config
from records.model import IpAddress, IpInterface
from records.snapshot import Records


class ThisHost:
    """The real machine; see `cli.tracing.facts.Machine`."""

    def __init__(self, config: Config) -> None:
        self._switch = Switch(config.openvswitch.rundir, config.openvswitch.bridge)
        self._docker = DockerKnows(config.netplugin.docker, Path(config.netplugin.socket).stem)
        self._kernel = Kernel()
        self._rules: dict[int, Ruleset] = {}
        self._addresses: Mapping[str, tuple[IpInterface, ...]] | None = None

    def site(self, records: Records | None) -> Site:
        """Return who is here.  Raises CannotLook."""
        ports = self.ports()
        found = containers(self._docker.containers(), self._docker.networks(), ports, records)
        return Site(tuple(found), ports, self.addresses())

    def trace(self, flow: str) -> str:
        """Return what the switch would do with a packet."""
        return self._switch.trace(flow)

    def ports(self) -> Mapping[str, int | None]:
        """Return the ports of the bridge."""
        return self._switch.ports()

    def route(self, dst: IpAddress, src: IpAddress | None = None, inside: str | None = None, mark: int = 0) -> Route:
        """Return the host's way for a packet."""
        return self._kernel.route(dst, src, inside, mark)

    def sending(self, container: Container, dst: IpAddress, interface: str | None = None) -> Sending:
        """Return a container's way for a packet."""
        pid = self._docker.pid(container.id)
        if pid == 0:
            raise CannotLook(f"container {container.name} has no process any more")
        return sending(pid, dst, interface)

    def listens(self, container: Container | None, protocol: str, address: IpAddress, port: int) -> bool | None:
        """Say whether a container (None: the host) has a socket for a port; None where that is not told."""
        if protocol not in FILES:
            return None
        at = Path("/proc") / ("self" if container is None else str(self._docker.pid(container.id))) / "net"
        try:
            return listens([(at / name).read_text() for name in FILES[protocol]], protocol, address, port)
        except OSError:  # it ends just now, or there is no IPv6
            return None

    def rules(self, version: int) -> Ruleset:
        """Return the rules of iptables or ip6tables."""
        if version not in self._rules:
            self._rules[version] = iptables.read(version)
        return self._rules[version]

    def addresses(self) -> Mapping[str, tuple[IpInterface, ...]]:
        """Return the host's addresses by interface."""
        if self._addresses is None:
            self._addresses = self._kernel.addresses()
        return self._addresses

    def forwards(self, version: int) -> bool:
        """Say whether the host forwards packets of a family at all."""
        return self._kernel.forwards(version)

    def close(self) -> None:
        """End."""
        self._kernel.close()
