"""Which ports of the host are kept for our containers, so that no other program of the host gets them; pure."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Collection
from typing import NewType

from netplugin.plan.wiring import Wiring
from records.model import IpAddress, Protocol, Published
from records.snapshot import Records

ReservationKey = NewType("ReservationKey", str)


@dataclasses.dataclass(frozen=True, slots=True)
class Reservation:
    """A port of the host that is ours."""

    protocol: Protocol
    ip: IpAddress
    port: int


def reservation_key(row: Published) -> ReservationKey:
    """Return the key of a port's reservation: the port's, so that it passes from container to container."""
    return ReservationKey(f"{row.protocol}/{row.host_ip}/{row.host_port}")


class Reservations(Wiring):
    """Planner of the reservations: one a published port."""

    __slots__ = ()

    def keys(self, source: Records) -> Collection[ReservationKey]:
        return {reservation_key(row) for row in self.published(source)}

    def want(self, source: Records, key: ReservationKey) -> Reservation | None:
        host = self.record(source)
        if host is None:
            return None
        protocol, ip, port = _place(key)
        row = source.published.one(host=host.id, protocol=protocol, host_ip=ip, host_port=port)
        return None if row is None else Reservation(protocol, ip, port)


def _place(key: ReservationKey) -> tuple[Protocol, IpAddress, int]:
    protocol, ip, port = key.split("/")
    return Protocol(protocol), ipaddress.ip_address(ip), int(port)
