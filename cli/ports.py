"""What `moorage port` tells: the published ports of this host with their containers' names; pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from records.model import Host
from records.snapshot import Records

PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?")


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """A container as Docker knows it; `endpoints` are the ids of its attachments."""

    id: str
    name: str
    endpoints: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class PublishedPort:
    """A port of the host, and of a container that it leads to; without Docker that is known by its address only."""

    container: str | None
    address: str
    port: int
    protocol: str
    host_ip: str
    host_port: int
    endpoint: str

    @property
    def inside(self) -> str:
        """The container's port, as in `80/tcp`."""
        return f"{self.port}/{self.protocol}"

    @property
    def outside(self) -> str:
        """The host's address and port, as in `0.0.0.0:8080`."""
        return f"[{self.host_ip}]:{self.host_port}" if ":" in self.host_ip else f"{self.host_ip}:{self.host_port}"


class NotPublished(Exception):
    """There is no such container, or no such port of it; the text says which."""


def published(records: Records, host: Host, containers: Iterable[Known]) -> list[PublishedPort]:
    """Return all published ports of a host, by container, port and address."""
    names = {endpoint: container.name for container in containers for endpoint in container.endpoints}
    found = []
    for row in records.published.of(host=host.id):
        endpoint = records.endpoints.get(row.endpoint)
        if endpoint is not None:
            own = endpoint.ipv4 if row.host_ip.version == 4 else endpoint.ipv6
            found.append(
                PublishedPort(
                    container=names.get(endpoint.docker_id),
                    address=str(own.ip) if own is not None else "?",
                    port=row.port,
                    protocol=row.protocol,
                    host_ip=str(row.host_ip),
                    host_port=row.host_port,
                    endpoint=endpoint.docker_id,
                )
            )
    return sorted(
        found, key=lambda p: (p.container or "", p.port, p.protocol, ":" in p.host_ip, p.host_ip, p.host_port)
    )


def container_named(asked: str, containers: Sequence[Known]) -> Known:
    """Return the container of a name, an id, or the beginning of one id only.

    Raises:
        NotPublished: there is none, or there are several.

    """
    for container in containers:
        if asked in {container.name, container.id}:
            return container
    found = [container for container in containers if asked and container.id.startswith(asked)]
    if len(found) != 1:
        several = f"several containers have ids that begin with {asked}"
        raise NotPublished(several if found else f"no such container: {asked}")
    return found[0]


def of_container(ports: Iterable[PublishedPort], container: Known, asked: str | None) -> list[PublishedPort]:
    """Return the ports of a container, or those that lead to the one `asked` for (`80`, `53/udp`).

    Raises:
        NotPublished: that port is not published.
        ValueError: `asked` is no port.

    """
    mine = [port for port in ports if port.endpoint in container.endpoints]
    if asked is None:
        return mine
    if (match := PORT.fullmatch(asked)) is None or not 1 <= int(match[1]) <= 65535:
        raise ValueError(f"{asked!r} is no port: expected 80 or 53/udp")
    wanted = f"{int(match[1])}/{match[2] or 'tcp'}"
    found = [port for port in mine if port.inside == wanted]
    if not found:
        raise NotPublished(f"port {wanted} of {container.name} is not published")
    return found


def lines(ports: Sequence[PublishedPort], *, container: bool, asked: bool) -> list[str]:
    """Return what people read: as `docker port` prints it; of all containers with each one's name first."""
    if asked:
        return [port.outside for port in ports]
    if container:
        return [f"{port.inside} -> {port.outside}" for port in ports]
    return [f"{port.container or port.address} {port.inside} -> {port.outside}" for port in ports]


def plain(ports: Iterable[PublishedPort]) -> list[Mapping[str, object]]:
    """Return what programs read; keys are added, never renamed."""
    return [dataclasses.asdict(port) for port in ports]
