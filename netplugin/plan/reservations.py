"""Which ports of the host are kept for our containers, so that no other program of the host gets them; pure."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Collection
from typing import NewType

from netplugin.plan.claims import reachable
from netplugin.plan.wiring import Wiring
from records.model import IpAddress, Protocol, Published
from records.snapshot import Records

LOOPBACK_IPV6 = (ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1"))  # addresses of the host that hold [::1]

ReservationKey = NewType("ReservationKey", str)


@dataclasses.dataclass(frozen=True, slots=True)
class Reservation:
    """A port of the host that is ours; `relayed` is where what [::1] asks is copied to: no rule can bring it there."""

    protocol: Protocol
    ip: IpAddress
    port: int
    relayed: tuple[IpAddress, int] | None = None


def reservation_key(row: Published) -> ReservationKey:
    """Return the key of a port's reservation: the port's, so that it passes from container to container."""
    return ReservationKey(f"{row.protocol}/{row.host_ip}/{row.host_port}")


class PublishedPorts(Wiring):
    """Look-ups that planners of published ports share."""

    __slots__ = ()

    def keys(self, source: Records) -> Collection[ReservationKey]:
        return {reservation_key(row) for row in self.published(source)}

    def row(self, source: Records, key: ReservationKey) -> Published | None:
        protocol, ip, port = key.split("/")
        host = self.record(source)
        if host is None:
            return None
        at = {"protocol": Protocol(protocol), "host_ip": ipaddress.ip_address(ip), "host_port": int(port)}
        return source.published.one(host=host.id, **at)


class Reservations(PublishedPorts):
    """Planner of the reservations: one a published port."""

    __slots__ = ()

    def want(self, source: Records, key: ReservationKey) -> Reservation | None:
        row = self.row(source, key)
        return None if row is None else Reservation(row.protocol, row.host_ip, row.host_port, _relayed(source, row))


def _relayed(records: Records, row: Published) -> tuple[IpAddress, int] | None:
    """Return the container's side of a port that [::1] reaches."""
    endpoint = records.endpoints.get(row.endpoint)
    if endpoint is None or row.host_ip not in LOOPBACK_IPV6 or row.protocol is Protocol.SCTP:
        return None
    own = reachable(records, endpoint, 6)
    return None if own is None else (own.ip, row.port)
