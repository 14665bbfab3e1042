"""Where connections to the host's published ports belong, and which of those that the kernel tracks do not; pure.

The kernel translates a connection as its first packet was.  Who goes on sending to a port from before it was published,
or after it has passed to another container (a UDP client, for hours) would never get to where it leads now.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from netplugin.plan.claims import ANY, reachable
from netplugin.plan.reservations import PublishedPorts, ReservationKey
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
    answers: tuple[IpAddress, int]


class Connections(PublishedPorts):
    """Planner of the destinations: one a published port."""

    __slots__ = ()

    def want(self, source: Records, key: ReservationKey) -> Destination | None:
        row = self.row(source, key)
        endpoint = None if row is None else source.endpoints.get(row.endpoint)
        if row is None or endpoint is None:
            return None
        own = reachable(source, endpoint, row.host_ip.version)
        return None if own is None else Destination(row.protocol, row.host_ip, row.host_port, own.ip, row.port)


def stray(tracked: Tracked, at: Destination, own: Collection[IpAddress], *, published: bool) -> bool:
    """Whether a connection to the port's number does not lead where the port does now.

    `own` are the host's addresses: a port of all of them is not asked by who sends to another machine.  A port that is
    not published any more leads nowhere, so that what still leads to its container is astray.
    """
    asks = tracked.asked in own or tracked.asked.is_loopback if at.host_ip in ANY else tracked.asked == at.host_ip
    leads = tracked.answers == (at.ip, at.port)
    return asks and (not leads if published else leads)
