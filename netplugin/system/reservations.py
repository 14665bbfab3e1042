"""Actuator of the published ports' reservations: a bound socket each, for other programs to find the port taken.

The sockets never answer: what comes for a port is translated to its container before any socket is looked for.  They
are bound, not listening, so that while the rules are away (somebody has flushed them) a client is refused at once.
They go with this process; until it is back the rules serve the ports.  Only what asks by [::1] is answered
through them (`netplugin.system.relay`).
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from daemonkit.diff import Diff
from netplugin.plan.claims import overlap
from netplugin.plan.reservations import Reservation, ReservationKey
from netplugin.system.relay import Close, Relay
from records.model import IpAddress, Protocol

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
TYPES = {
    Protocol.TCP: (socket.SOCK_STREAM, socket.IPPROTO_TCP, "t"),
    Protocol.UDP: (socket.SOCK_DGRAM, socket.IPPROTO_UDP, "u"),
    Protocol.SCTP: (socket.SOCK_STREAM, socket.IPPROTO_SCTP, "S"),
}


class Reservations:
    """Binds and closes; `look` may be asked from any thread."""

    def __init__(self) -> None:
        self._held: dict[ReservationKey, tuple[Reservation, Close]] = {}
        self._addresses: dict[tuple[Protocol, int], list[IpAddress]] = {}  # of the ports that are held
        self._relay = Relay()
        self._changing = threading.Lock()

    def read(self, keys: Collection[ReservationKey] | None) -> Mapping[ReservationKey, Reservation]:
        """Return what we hold."""
        return {key: held for key, (held, _) in self._held.items() if keys is None or key in keys}

    def apply(self, change: Diff[ReservationKey, Reservation]) -> Mapping[ReservationKey, str]:
        """Let go of ports and take others."""
        failed: dict[ReservationKey, str] = {}
        with self._changing:
            for key in [*change.delete, *change.change]:
                held, close = self._held.pop(key)
                self._addresses[held.protocol, held.port].remove(held.ip)
                close()
            for key, wanted in {**change.create, **change.change}.items():
                try:
                    self._held[key] = (wanted, self._hold(wanted))
                except OSError as error:
                    failed[key] = _reason(wanted, error)
                else:
                    self._addresses.setdefault((wanted.protocol, wanted.port), []).append(wanted.ip)
        return failed

    def look(self, protocol: Protocol, ip: IpAddress, port: int) -> str | None:
        """Return why the host cannot serve a port now, or None.  What we hold is ours to give."""
        wanted = Reservation(protocol, ip, port)
        with self._changing:
            if any(overlap(held, ip) for held in self._addresses.get((protocol, port), ())):
                return None
        try:
            sock = _bound(wanted)
        except OSError as error:
            return _reason(wanted, error)
        if sock is not None:
            sock.close()
        return None

    def _hold(self, wanted: Reservation) -> Close:
        """Take a port; return what lets go of it."""
        sock = _bound(wanted)
        if sock is None:
            return lambda: None
        if wanted.relayed is None:
            return sock.close
        ip, port = wanted.relayed
        return self._relay.serve(sock, (str(ip), port))


def allow_many() -> None:
    """Lift the process's own limit of open files to the system's: a thousand ports need as many sockets."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def ephemeral() -> range:
    """Return the ports of which any free one may be taken where the user names none."""
    first, last = EPHEMERAL.read_text().split()
    return range(int(first), int(last) + 1)


def _bound(wanted: Reservation) -> socket.socket | None:
    """Return a socket that keeps others off the port; None where the kernel has no sockets of its protocol."""
    family = socket.AF_INET if wanted.ip.version == 4 else socket.AF_INET6
    kind, protocol, _ = TYPES[wanted.protocol]
    try:
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:  # SCTP is a module; then no other program can have the port either
            return None
        raise
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Connections that have just ended must not be in the way (2 MSL); other servers must: the kernel lets a second
        # socket in only while both say so, and neither listens.
        if wanted.protocol is Protocol.TCP:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((str(wanted.ip), wanted.port))
        if wanted.protocol is Protocol.TCP and wanted.relayed is None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        sock.close()
        raise
    return sock


def _reason(wanted: Reservation, error: OSError) -> str:
    """Return what is wrong, for the person who typed `-p`."""
    port = f"port {wanted.port}/{wanted.protocol} of {wanted.ip}"
    if error.errno == errno.EADDRINUSE:
        return f"{port} is in use by another program of the host (ss -ln{TYPES[wanted.protocol][2]}p shows which)"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{port} cannot be published: {wanted.ip} is not an address of this host"
    return f"{port} cannot be published: {os.strerror(error.errno or 0)}"
