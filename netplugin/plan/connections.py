"""Where connections to the host's published ports belong, and which of those that the kernel tracks do not; pure.

The kernel translates a connection as its first packet was.  Who goes on sending to a port from before it was published,
or after it has passed to another container (a UDP client, for hours) would never get to where it leads now.  A client
of TCP does not: its connection ends with its server.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from netplugin.plan.claims import ANY, reachable
from netplugin.plan.reservations import PublishedPorts, ReservationKey, reservation_key
from records.model import IpAddress, Protocol
from records.snapshot import Records


@dataclasses.dataclass(frozen=True, slots=True)
class Destination:
    """A published port, and the container's address and port that its connections lead to."""

    protocol: Protocol
    host_ip: IpAddress
    host_port: int
    ip: IpAddress
    port: int


@dataclasses.dataclass(frozen=True, slots=True)
class Tracked:
    """A connection: whom the client asks, and who answers."""

    asked: IpAddress
    port: int
    answers: tuple[IpAddress, int]


class Connections(PublishedPorts):
    """Planner of the destinations: one a published port, but for those of TCP."""

    __slots__ = ()

    def keys(self, source: Records) -> Collection[ReservationKey]:
        return {reservation_key(row) for row in self.published(source) if row.protocol is not Protocol.TCP}

    def want(self, source: Records, key: ReservationKey) -> Destination | None:
        row = self.row(source, key)
        endpoint = None if row is None else source.endpoints.get(row.endpoint)
        if row is None or endpoint is None or row.protocol is Protocol.TCP:
            return None
        own = reachable(source, endpoint, row.host_ip.version)
        return None if own is None else Destination(row.protocol, row.host_ip, row.host_port, own.ip, row.port)


def stray(tracked: Tracked, at: Destination, own: Collection[IpAddress], *, published: bool) -> bool:
    """Whether a connection is to the port and does not lead where the port does now.

    `own` are the host's addresses: a port of all of them is not asked by who sends to another machine.  A port that is
    not published any more leads nowhere, so that what still leads to its container is astray.
    """
    asks = tracked.asked in own or tracked.asked.is_loopback if at.host_ip in ANY else tracked.asked == at.host_ip
    leads = tracked.answers == (at.ip, at.port)
    return tracked.port == at.host_port and asks and (not leads if published else leads)
