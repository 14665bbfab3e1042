"""What is asked of the machine, and in which words it answers; who asks is in `journey`, who answers in `system`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Protocol

from cli.tracing.rules import Ruleset
from records.model import IpAddress, IpInterface


class CannotLook(Exception):
    """Something of the machine cannot be looked at; the text says what, why, and what to do."""


class NoRoute(Exception):
    """The kernel has no way for a packet; the text is for people."""


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    """A container's place on a network of ours.

    `ofport` is None where the switch has no such port; `up` and `problem` are the records' (None: not known).
    """

    endpoint: str  # Docker's id
    network: str  # as Docker calls it
    port: str  # the interface on the host
    ofport: int | None
    mac: str
    ipv4: IpAddress | None = None
    ipv6: IpAddress | None = None
    up: bool | None = None
    problem: str | None = None
    vlan: int | None = None  # its tag on the physical network, on a VLAN network
    uplink: str | None = None  # the interface that leads there

    def address(self, version: int) -> IpAddress | None:
        """Return its address of a family."""
        return self.ipv4 if version == 4 else self.ipv6


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """A container of this host; `others` are its networks of other drivers.  `state` is Docker's word."""

    id: str
    name: str
    state: str
    attachments: tuple[Attachment, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether it has a network stack."""
        return self.state in {"running", "paused"}


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """Where a packet goes next.  `local`: it is for the machine itself.  `source`: what the kernel would send from."""

    interface: str
    local: bool = False
    gateway: IpAddress | None = None
    source: IpAddress | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Sending:
    """How a container sends something: by which interface of its own, and which port of the host is its other end."""

    route: Route
    mac: str
    up: bool
    port: str | None


class Machine(Protocol):
    """What this host can be asked.  Every question may raise CannotLook."""

    def trace(self, flow: str) -> str:
        """Return what the switch would do with a packet (`ofproto/trace`)."""

    def ports(self) -> Mapping[str, int | None]:
        """Return the OpenFlow number of each port of the bridge; None where it is not in the datapath."""

    def route(self, dst: IpAddress, src: IpAddress | None = None, inside: str | None = None, mark: int = 0) -> Route:
        """Return the host's way for a packet; raises NoRoute."""

    def sending(self, container: Container, dst: IpAddress, interface: str | None = None) -> Sending:
        """Return a container's way for a packet; raises NoRoute."""

    def listens(self, container: Container | None, protocol: str, address: IpAddress, port: int) -> bool | None:
        """Say whether a container (None: the host) has a socket for a port; None where that is not told."""

    def rules(self, version: int) -> Ruleset:
        """Return the rules of iptables or ip6tables."""

    def addresses(self) -> Mapping[str, tuple[IpInterface, ...]]:
        """Return the host's addresses by interface."""

    def forwards(self, version: int) -> bool:
        """Say whether the host forwards packets of a family at all."""
