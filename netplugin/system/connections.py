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

NUMBERS = {Protocol.TCP: socket.IPPROTO_TCP, Protocol.UDP: socket.IPPROTO_UDP, Protocol.SCTP: socket.IPPROTO_SCTP}
GONE = 2  # ENOENT: the connection has ended meanwhile


class Connections:
    """Deletes tracked connections, one port after the other."""

    def __init__(self, own: Callable[[], Collection[IpAddress]]) -> None:
        self._own = own
        self._seen: dict[ReservationKey, Destination] = {}
        self._new = True  # in the first pass: what is there went by the rules that are there

    def read(self, keys: Collection[ReservationKey] | None) -> Mapping[ReservationKey, Destination]:
        """Return which ports have been looked at."""
        self._new = self._new and not self._seen and keys is None
        return {key: at for key, at in self._seen.items() if keys is None or key in keys}

    def apply(self, change: Diff[ReservationKey, Destination]) -> Mapping[ReservationKey, str]:
        """Look at ports that lead elsewhere now, or nowhere.

        A TCP client of a port that was not published has been refused: there is nothing to look for.
        """
        failed: dict[ReservationKey, str] = {}
        come = {} if self._new else {k: at for k, at in change.create.items() if at.protocol is not Protocol.TCP}
        own = self._own() if come or change.change or change.delete else ()
        for key, at in {**come, **change.change, **change.delete}.items():
            try:
                self._forget(at, own, published=key not in change.delete)
            except (NetlinkError, OSError) as error:
                failed[key] = f"connection tracking: {error}"
        for key, at in {**change.create, **change.change}.items():
            if key not in failed:
                self._seen[key] = at
        for key in change.delete:
            if key not in failed:
                self._seen.pop(key, None)
        return failed

    def _forget(self, at: Destination, own: Collection[IpAddress], *, published: bool) -> None:
        family = socket.AF_INET if at.host_ip.version == 4 else socket.AF_INET6
        with NFCTSocket(nfgen_family=family) as kernel:
            wanted = NFCTAttrTuple(family=family, proto=NUMBERS[at.protocol], dport=at.host_port)
            for asked, tracked in list(_tracked(kernel.dump(tuple_orig=wanted), family)):
                same = (asked.proto, asked.dport) == (wanted.proto, wanted.dport)  # kernels before 5.8 tell all
                if same and stray(tracked, at, own, published=published):
                    _delete(kernel, asked)


def _tracked(rows: Any, family: int) -> Iterator[tuple[NFCTAttrTuple, Tracked]]:
    """Yield the connections of the host itself; those in a zone are the switch's."""
    for row in rows:
        if row.get_attr("CTA_ZONE"):
            continue
        asked = NFCTAttrTuple.from_netlink(family, row.get_attr("CTA_TUPLE_ORIG"))
        answers = NFCTAttrTuple.from_netlink(family, row.get_attr("CTA_TUPLE_REPLY"))
        by = ipaddress.ip_address(answers.saddr), int(answers.sport or 0)
        yield asked, Tracked(ipaddress.ip_address(asked.daddr), by)


def _delete(kernel: NFCTSocket, asked: NFCTAttrTuple) -> None:
    try:
        kernel.entry("del", tuple_orig=asked)
    except NetlinkError as error:
        if error.code != GONE:
            raise
