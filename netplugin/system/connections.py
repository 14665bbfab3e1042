"""Actuator of tracked connections: forgets those to published ports that do not lead where the ports do.

The kernel is not asked what is there, since it may track a million connections: what is kept is which ports have been
looked at, and with which destination.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple, NFCTSocket

from daemonkit.diff import Diff
from netplugin.plan.connections import Destination, Tracked, stray
from netplugin.plan.reservations import ReservationKey
from records.model import IpAddress, Protocol

NUMBERS = {Protocol.UDP: socket.IPPROTO_UDP, Protocol.SCTP: socket.IPPROTO_SCTP}
FEW = 4  # ports that are asked for one by one; 13 ms each with 262,144 buckets, and a connection told costs 0.1 ms
GONE = 2  # ENOENT: the connection has ended meanwhile


class Connections:
    """Deletes tracked connections."""

    def __init__(self, own: Callable[[], Collection[IpAddress]]) -> None:
        self._own = own
        self._seen: dict[ReservationKey, Destination] = {}
        self._new = True  # in the first pass: what is there went by the rules that are there

    def read(self, keys: Collection[ReservationKey] | None) -> Mapping[ReservationKey, Destination]:
        """Return which ports have been looked at."""
        self._new = self._new and not self._seen and keys is None
        return {key: at for key, at in self._seen.items() if keys is None or key in keys}

    def apply(self, change: Diff[ReservationKey, Destination]) -> Mapping[ReservationKey, str]:
        """Look at ports that lead elsewhere now, or nowhere."""
        come = {} if self._new else change.create
        failed: dict[ReservationKey, str] = {}
        sought: dict[tuple[int, Protocol], dict[ReservationKey, Destination]] = {}
        for key, at in {**come, **change.change, **change.delete}.items():
            family = int(socket.AF_INET) if at.host_ip.version == 4 else socket.AF_INET6
            sought.setdefault((family, at.protocol), {})[key] = at
        own = self._own() if sought else ()
        for (family, protocol), ports in sought.items():
            try:
                with NFCTSocket(nfgen_family=family) as kernel:
                    for asked, tracked in list(_to(kernel, family, protocol, ports.values())):
                        strays = (stray(tracked, at, own, published=k not in change.delete) for k, at in ports.items())
                        if any(strays):
                            _delete(kernel, asked)
            except (NetlinkError, OSError) as error:
                failed |= dict.fromkeys(ports, f"connection tracking: {error}")
        done = {key: at for key, at in {**change.create, **change.change}.items() if key not in failed}
        gone = [key for key in change.delete if key not in failed]
        self._seen = {key: at for key, at in {**self._seen, **done}.items() if key not in gone}
        return failed


def _to(
    kernel: NFCTSocket, family: int, protocol: Protocol, ports: Collection[Destination]
) -> Iterator[tuple[NFCTAttrTuple, Tracked]]:
    """Yield the connections to ports of a protocol; the kernel looks through all of its own at each question."""
    numbers = {at.host_port for at in ports}
    for number in numbers if len(numbers) <= FEW else [None]:
        wanted = NFCTAttrTuple(family=family, proto=NUMBERS[protocol], dport=number)
        for asked, tracked in _tracked(kernel.dump(tuple_orig=wanted), family):
            if asked.proto == NUMBERS[protocol] and asked.dport in numbers:  # kernels before 5.8 tell all
                yield asked, tracked


def _tracked(rows: Any, family: int) -> Iterator[tuple[NFCTAttrTuple, Tracked]]:
    """Yield the connections of the host itself; those in a zone are the switch's."""
    for row in rows:
        if row.get_attr("CTA_ZONE"):
            continue
        asked = NFCTAttrTuple.from_netlink(family, row.get_attr("CTA_TUPLE_ORIG"))
        answers = NFCTAttrTuple.from_netlink(family, row.get_attr("CTA_TUPLE_REPLY"))
        by = ipaddress.ip_address(answers.saddr), int(answers.sport or 0)
        yield asked, Tracked(ipaddress.ip_address(asked.daddr), int(asked.dport or 0), by)


def _delete(kernel: NFCTSocket, asked: NFCTAttrTuple) -> None:
    try:
        kernel.entry("del", tuple_orig=asked)
    except NetlinkError as error:
        if error.code != GONE:
            raise
