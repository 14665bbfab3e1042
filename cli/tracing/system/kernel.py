"""The kernel's own answers: where it would send a packet, on the host and inside a container."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute, NetNS
from pyroute2.netlink.exceptions import NetlinkError

from cli.tracing.facts import CannotLook, NoRoute, Route, Sending
from records.model import IpAddress, IpInterface

LOCAL = 2  # RTN_LOCAL of linux/rtnetlink.h
BROADCAST = 3  # RTN_BROADCAST
UP = 1  # IFF_UP
FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
MEANINGS = {
    101: "it has no route there (Network is unreachable)",  # ENETUNREACH
    113: "it has no route there, or does not forward (No route to host)",  # EHOSTUNREACH
    22: "it does not take this source on this interface (rp_filter, or a martian address)",  # EINVAL
    18: "it does not take this source on this interface (rp_filter)",  # EXDEV
    13: "a route prohibits it",  # EACCES
}


class Kernel:
    """The host's routes and addresses."""

    def __init__(self) -> None:
        self._ip = IPRoute()

    def route(self, dst: IpAddress, src: IpAddress | None = None, inside: str | None = None, mark: int = 0) -> Route:
        """Return the way of a packet that comes in by `inside`, or that the host itself sends.  Raises NoRoute."""
        given: dict[str, Any] = {"dst": str(dst)}
        if src is not None:
            given["src"] = str(src)
        if inside is not None:
            given["iif"] = _index(inside)
        if mark:
            given["mark"] = mark
        return _route(self._ip, given)

    def addresses(self) -> Mapping[str, tuple[IpInterface, ...]]:
        """Return all addresses."""
        names = dict(socket.if_nameindex())
        found: dict[str, list[IpInterface]] = {}
        for row in self._ip.get_addr():
            address = row.get_attr("IFA_LOCAL") or row.get_attr("IFA_ADDRESS")
            if row["index"] in names:
                made = ipaddress.ip_interface(f"{address}/{row['prefixlen']}")
                found.setdefault(names[row["index"]], []).append(made)
        return {name: tuple(addresses) for name, addresses in found.items()}

    @staticmethod
    def forwards(version: int) -> bool:
        """Say whether the host forwards at all.  Raises CannotLook."""
        path = Path("/proc/sys") / FORWARDING[version].replace(".", "/")
        try:
            return path.read_text().strip() != "0"
        except OSError as error:
            raise CannotLook(f"{path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the socket."""
        self._ip.close()


def sending(pid: int, dst: IpAddress, interface: str | None = None) -> Sending:
    """Return how the container of a process would send something to `dst`; by `interface` (a port of the host) if told.

    Raises:
        NoRoute: it has no way there.
        CannotLook: its network stack cannot be entered.

    """
    with _inside(pid) as netns:
        links = list(netns.get_links())
        given: dict[str, Any] = {"dst": str(dst)}
        if interface is not None:
            peers = [link["index"] for link in links if link.get_attr("IFLA_LINK") == _index(interface)]
            if not peers:
                raise NoRoute(f"it has no interface at the other end of {interface}")
            given["oif"] = peers[0]
        route = _route(netns, given)
        link = next(link for link in links if link.get_attr("IFLA_IFNAME") == route.interface)
        port = None
        if link.get_attr("IFLA_LINK"):
            with contextlib.suppress(OSError):  # its other end is not on this host, or gone
                port = socket.if_indextoname(link.get_attr("IFLA_LINK"))
        return Sending(route, str(link.get_attr("IFLA_ADDRESS")), bool(link["flags"] & UP), port)


@contextlib.contextmanager
def _inside(pid: int) -> Iterator[Any]:
    try:
        netns = NetNS(f"/proc/{pid}/ns/net")
    except OSError as error:
        raise CannotLook(f"the network stack of process {pid} cannot be entered: {error}; are you root?") from error
    try:
        yield netns
    finally:
        netns.close()


def _route(ip: Any, given: dict[str, Any]) -> Route:
    try:
        (row,) = ip.route("get", **given)
    except NetlinkError as error:
        raise NoRoute(MEANINGS.get(error.code, str(error))) from error
    index = row.get_attr("RTA_OIF")
    names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in ip.get_links(index)}
    gateway, source = row.get_attr("RTA_GATEWAY"), row.get_attr("RTA_PREFSRC")
    return Route(
        interface=str(names.get(index)),
        local=row["type"] in {LOCAL, BROADCAST},
        gateway=ipaddress.ip_address(gateway) if gateway else None,
        source=ipaddress.ip_address(source) if source else None,
    )


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise NoRoute(f"there is no interface {name}") from error
