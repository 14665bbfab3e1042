"""What `-p` asks for: Docker's port map as values; pure.

Docker sends one entry a container port (PROTOCOL 2.4): `HostPort` 0 is any free port of the host, a `HostPortEnd` above
it a range to take the first free one of.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping
from typing import Any

import msgspec

from daemonkit.errors import BadRequest
from daemonkit.wire import Wire
from netplugin import wire
from records.model import IpAddress, Protocol

NUMBERS = {6: Protocol.TCP, 17: Protocol.UDP, 132: Protocol.SCTP}  # IANA's protocol numbers
PORT_MAX = 65535


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A container's port, and where on the host it is asked for; `first` 0: any free port; no `host_ip`: all."""

    protocol: Protocol
    port: int
    host_ip: IpAddress | None
    first: int
    last: int

    @property
    def flexible(self) -> bool:
        """Whether the host's port is left to us."""
        return self.first == 0 or self.first < self.last

    def __str__(self) -> str:
        """Spell it as `docker run -p` does."""
        host = "" if self.host_ip is None else f"[{self.host_ip}]:" if self.host_ip.version == 6 else f"{self.host_ip}:"
        ports = "" if self.first == 0 else str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{host}{ports}:{self.port}/{self.protocol}"


class _Binding(Wire, frozen=True, kw_only=True):
    proto: int
    port: int
    host_ip: str = ""
    host_port: int = 0
    host_port_end: int = 0


def parse(options: Mapping[str, Any] | None) -> tuple[Asked, ...]:
    """Return what the options of CreateEndpoint or ProgramExternalConnectivity ask for, each once.

    Raises:
        BadRequest: malformed, or a port that cannot be; the text says which.

    """
    given = (options or {}).get(wire.PORTMAP)
    try:
        bindings = msgspec.convert(given or [], list[_Binding])
    except msgspec.ValidationError as error:
        raise BadRequest(f"{wire.PORTMAP}: {error}") from None
    return tuple(dict.fromkeys(_asked(binding) for binding in bindings))


def _asked(binding: _Binding) -> Asked:
    protocol = NUMBERS.get(binding.proto)
    if protocol is None:
        raise BadRequest(f"ports of IP protocol {binding.proto} cannot be published: expected tcp, udp or sctp")
    if not 1 <= binding.port <= PORT_MAX:
        raise BadRequest(f"container port {binding.port} is none: expected 1 to {PORT_MAX}")
    first, last = binding.host_port, binding.host_port_end or binding.host_port
    if not 0 <= first <= last <= PORT_MAX or (first == 0 and last != 0):
        raise BadRequest(f"host port {first}-{last} is none: expected 1 to {PORT_MAX}, the lower one first")
    return Asked(protocol, binding.port, _host_ip(binding.host_ip), first, last)


def _host_ip(text: str) -> IpAddress | None:
    if not text:
        return None
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        raise BadRequest(f"-p {text}:...: {text!r} is not an address") from None
    if isinstance(ip, ipaddress.IPv6Address) and (ip.scope_id or ip.ipv4_mapped or ip.is_link_local):
        raise BadRequest(f"-p [{text}]:...: ports are published on global, unique local or loopback addresses")
    if ip.is_multicast:
        raise BadRequest(f"-p {text}:...: {ip} is a group address")
    return ip
