"""Which ports of the host an endpoint gets of those its user asked for; pure but for the look it is given.

Two claims exclude each other as two sockets would: same protocol and port, and the same address, or one of them all
addresses of that family.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from daemonkit.errors import BadRequest, Exhausted, Failed, InUse
from netplugin.plan.numbers import NoNumberLeft, choose
from netplugin.portmap import Asked
from records.model import Endpoint, IpAddress, IpInterface, Protocol, Published, PublishedId
from records.snapshot import Records
from records.writes import Delete, Insert, Update, Write

ANY: tuple[IpAddress, IpAddress] = (ipaddress.IPv4Address("0.0.0.0"), ipaddress.IPv6Address("::"))  # noqa: S104

# Says why the host cannot serve a port now, or None: another program has it, the address is not the host's.
Look = Callable[[Protocol, IpAddress, int], str | None]
Place = tuple[Protocol, IpAddress, int]


def forget_endpoint(records: Records, endpoint: Endpoint) -> list[Write]:
    """Return the writes that remove an endpoint, and what it has published with it."""
    return [*(Delete(row) for row in records.published.of(endpoint=endpoint.id)), Delete(endpoint)]


def siblings(records: Records, endpoint: Endpoint) -> list[Endpoint]:
    """Return the other endpoints of the same container."""
    if endpoint.sandbox is None:
        return []
    return [e for e in records.endpoints.of(host=endpoint.host) if e.sandbox == endpoint.sandbox and e != endpoint]


def reachable(records: Records, endpoint: Endpoint, version: int) -> IpInterface | None:
    """Return the endpoint's address of an IP version, if its network has a gateway for it: the host's way to it."""
    own = endpoint.ipv4 if version == 4 else endpoint.ipv6
    network = records.networks.get(endpoint.network)
    if network is None or not network.gateway_here:
        return None
    subnets = records.subnets.of(network=endpoint.network)
    return own if own is not None and any(own.ip in s.cidr and s.gateway is not None for s in subnets) else None


class Claims:
    """The ports that an endpoint claims, one after the other, so that none is claimed twice."""

    def __init__(self, records: Records, endpoint: Endpoint, look: Look, ephemeral: range) -> None:
        self._endpoint = endpoint
        self._records = records
        self._look = look
        self._ephemeral = ephemeral
        self._mine = {endpoint.id, *(e.id for e in siblings(records, endpoint))}
        own = (row for mine in self._mine for row in records.published.of(endpoint=mine))
        self._own = {(row.protocol, row.host_ip, row.host_port): row for row in own}
        self._made: dict[Place, Published] = {}
        self._made_at: dict[tuple[Protocol, int], list[Published]] = {}

    def claim(self, asked: Iterable[Asked]) -> list[Write]:
        """Return the writes after which the endpoint has what is asked for, and nothing else of its container has any.

        Raises:
            InUse: another container has the port.
            Failed: another program has it, or the host has no such address.
            Exhausted: no port of a range is free.

        """
        for one in sorted(asked, key=lambda a: (a.flexible, a.protocol, a.port, a.first, str(a.host_ip))):
            if ips := self._addresses(one):
                port = self._choose(one, ips) if one.flexible else one.first
                for ip in ips:
                    if (problem := self._problem(one, ip, port)) is not None:
                        raise problem
                    self._take(one, ip, port)
        writes: list[Write] = [Delete(row) for place, row in self._own.items() if place not in self._made]
        for place, row in self._made.items():
            old = self._own.get(place)
            if old is None:
                writes.append(Insert(row))
            elif row != old:
                writes.append(Update(old, row))
        return writes

    def _addresses(self, one: Asked) -> Sequence[IpAddress]:
        """Return the host's addresses a port is served on: without one, all of each family that leads somewhere."""
        ips = ANY if one.host_ip is None else (one.host_ip,)
        found = [ip for ip in ips if reachable(self._records, self._endpoint, ip.version) is not None]
        if not found and one.host_ip is not None:
            raise BadRequest(
                f"-p {one}: the container's network has no IPv{one.host_ip.version} gateway to serve it by"
            )
        return found

    def _choose(self, one: Asked, ips: Collection[IpAddress]) -> int:
        """Return a port that is free on all of `ips`: what the container had, else of its range the first."""
        allowed = range(one.first, one.last + 1) if one.first else self._ephemeral

        def taken(port: int) -> bool:
            return any(self._problem(one, ip, port) is not None for ip in ips)

        for row in self._own.values():
            same = (row.protocol, row.port) == (one.protocol, one.port) and row.host_port in allowed
            if same and not taken(row.host_port):
                return row.host_port
        if one.first:
            free = next((port for port in allowed if not taken(port)), None)
            if free is None:
                raise Exhausted(f"-p {one}: no port of {one.first} to {one.last} is free on this host")
            return free
        try:
            seed = f"{self._endpoint.docker_id} {one.protocol} {one.port} {len(self._made)}"
            return choose(seed, len(allowed), lambda n: taken(allowed[n - 1])) - 1 + allowed.start
        except NoNumberLeft:
            raise Exhausted(
                f"-p {one}: no port of {allowed.start} to {allowed.stop - 1} is free on this host"
            ) from None

    def _problem(self, one: Asked, ip: IpAddress, port: int) -> InUse | Failed | None:
        for row in self._holders(one.protocol, port):
            mine = row.endpoint == self._endpoint.id
            same = mine and not one.flexible and (row.host_ip, row.port) == (ip, one.port)
            if overlap(row.host_ip, ip) and not same:
                holder = f"another -p of this container ({row.port})" if mine else _named(self._records, row)
                return InUse("host port", f"{port}/{one.protocol} of {ip}", holder)
        why = self._look(one.protocol, ip, port)
        return None if why is None else Failed(why)

    def _holders(self, protocol: Protocol, port: int) -> Iterator[Published]:
        """Yield what has a port of the host: other containers', and what is made of this one's."""
        for row in self._records.published.of(host_port=port):
            if row.host == self._endpoint.host and row.protocol is protocol and row.endpoint not in self._mine:
                yield row
        yield from self._made_at.get((protocol, port), ())

    def _take(self, one: Asked, ip: IpAddress, port: int) -> None:
        place = (one.protocol, ip, port)
        if place in self._made:
            return
        old = self._own.get(place)
        self._made[place] = Published(
            id=PublishedId(uuid.uuid4()) if old is None else old.id,
            endpoint=self._endpoint.id,
            host=self._endpoint.host,
            protocol=one.protocol,
            host_ip=ip,
            host_port=port,
            port=one.port,
        )
        self._made_at.setdefault((one.protocol, port), []).append(self._made[place])


def overlap(one: IpAddress, other: IpAddress) -> bool:
    """Whether a socket bound to one address keeps another from being bound to the other."""
    return one.version == other.version and (one == other or one in ANY or other in ANY)


def inherit(records: Records, leaving: Endpoint) -> list[Write]:
    """Return the writes that hand the ports of an endpoint to another of its container, where one can serve them.

    Docker 29 does not say so after its own restart (PROTOCOL 2.8): without this the ports would be lost silently.
    """
    writes: list[Write] = []
    for row in records.published.of(endpoint=leaving.id):
        heirs = [e for e in siblings(records, leaving) if reachable(records, e, row.host_ip.version) is not None]
        if heirs:
            heir = min(heirs, key=lambda e: e.docker_id)
            writes.append(Update(row, dataclasses.replace(row, endpoint=heir.id)))
        else:
            writes.append(Delete(row))
    return writes


def _named(records: Records, row: Published) -> str:
    endpoint = records.endpoints.get(row.endpoint)
    own = None if endpoint is None else endpoint.ipv4 or endpoint.ipv6
    return "another container" if own is None else f"the container with address {own.ip} (see `moorage port`)"
