"""Docker's own API on its Unix socket, as little of it as is needed: which networks and endpoints it knows."""

from __future__ import annotations

import http.client
import ipaddress
import socket
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from netplugin.forgotten import Known

WITHIN = 10.0  # seconds for one answer; asked from a thread that nothing waits for

T = TypeVar("T")


class DockerAway(OSError):
    """dockerd does not answer: what it knows is not known, so nothing may be concluded."""


class _Answer(msgspec.Struct, frozen=True, rename="pascal"):
    """Base of what is read; keys that are not named here are ignored."""


class _Config(_Answer, frozen=True):
    subnet: str = ""
    auxiliary_addresses: dict[str, str] | None = None


class _Ipam(_Answer, frozen=True):
    driver: str = ""
    config: list[_Config] | None = None


class _Container(_Answer, frozen=True):
    endpoint: str = msgspec.field(default="", name="EndpointID")
    ipv4: str = msgspec.field(default="", name="IPv4Address")
    ipv6: str = msgspec.field(default="", name="IPv6Address")


class _Network(_Answer, frozen=True):
    id: str
    driver: str = ""
    scope: str = ""
    ipam: _Ipam | None = msgspec.field(default=None, name="IPAM")
    containers: dict[str, _Container] | None = None


class Docker:
    """A client; never used inside one of Docker's own calls to us (PROTOCOL rule 10)."""

    def __init__(self, address: str) -> None:
        self._path = address.removeprefix("unix://")

    def known(self, driver: str) -> Known:
        """Return the networks of a driver with their endpoints, and what all networks have of addresses.

        Raises:
            DockerAway: no whole answer.

        """
        found = self.get("/networks", list[_Network])
        ours = [self.get(f"/networks/{network.id}", _Network) for network in found if network.driver == driver]
        others = [self.get(f"/networks/{network.id}", _Network) for network in found if _addressed_by(driver, network)]
        return Known(
            networks={n.id: frozenset(c.endpoint for c in (n.containers or {}).values()) for n in ours},
            subnets=frozenset(subnet for network in found for subnet in _subnets(network)),
            held={subnet: _held(network) for network in others for subnet in _subnets(network)},
        )

    def get(self, path: str, kind: type[T]) -> T:
        """Return one answer of the API.

        Raises:
            DockerAway: it does not answer, or with something else.

        """
        connection = _UnixConnection(self._path)
        try:
            connection.request("GET", path, headers={"Host": "docker"})
            response = connection.getresponse()
            body = response.read()
            if response.status != http.client.OK:
                raise DockerAway(f"GET {path}: {response.status} {body[:200]!r}")
            return msgspec.json.decode(body, type=kind)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DockerAway(f"GET {path}: {error}") from error
        finally:
            connection.close()


def _addressed_by(driver: str, network: _Network) -> bool:
    """Whether another driver's network of this host alone has its addresses from the IPAM driver of this name."""
    ipam = network.ipam
    return network.driver != driver and network.scope == "local" and ipam is not None and ipam.driver == driver


def _subnets(network: _Network) -> Iterator[str]:
    for config in (network.ipam.config or ()) if network.ipam is not None else ():
        yield _spelled(config.subnet)


def _held(network: _Network) -> frozenset[str]:
    """Return the addresses of a network's containers, and those kept free for others, as our records spell them."""
    configs = (network.ipam.config or ()) if network.ipam is not None else ()
    kept = (ip for config in configs for ip in (config.auxiliary_addresses or {}).values())
    taken = (ip for container in (network.containers or {}).values() for ip in (container.ipv4, container.ipv6) if ip)
    return frozenset(_spelled(ip.partition("/")[0]).partition("/")[0] for ip in (*kept, *taken))


def _spelled(subnet: str) -> str:
    """Return a subnet as our records spell it: Docker repeats what its user typed, bits of a host included."""
    try:
        return str(ipaddress.ip_network(subnet, strict=False))
    except ValueError:  # of a driver with other ideas
        return subnet


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(WITHIN)
        self.sock.connect(self._path)
