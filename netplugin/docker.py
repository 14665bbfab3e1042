"""Docker's own API on its Unix socket, as little of it as is needed: which networks and endpoints it knows."""

from __future__ import annotations

import http.client
import ipaddress
import socket
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


class _Ipam(_Answer, frozen=True):
    config: list[_Config] | None = None


class _Container(_Answer, frozen=True):
    endpoint: str = msgspec.field(default="", name="EndpointID")


class _Network(_Answer, frozen=True):
    id: str
    driver: str = ""
    ipam: _Ipam | None = msgspec.field(default=None, name="IPAM")
    containers: dict[str, _Container] | None = None


class Docker:
    """A client; never used inside one of Docker's own calls to us (PROTOCOL rule 10)."""

    def __init__(self, address: str) -> None:
        self._path = address.removeprefix("unix://")

    def known(self, driver: str) -> Known:
        """Return the networks of a driver with their endpoints, and the subnets of all networks.

        Raises:
            DockerAway: no whole answer.

        """
        found = self.get("/networks", list[_Network])
        details = [self.get(f"/networks/{network.id}", _Network) for network in found if network.driver == driver]
        subnets = (config.subnet for n in found if n.ipam is not None for config in n.ipam.config or ())
        return Known(
            networks={n.id: frozenset(c.endpoint for c in (n.containers or {}).values()) for n in details},
            subnets=frozenset(_spelled(subnet) for subnet in subnets),
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
