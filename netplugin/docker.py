"""Docker's own API on its Unix socket, as little of it as is needed: which networks and endpoints it knows."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

from netplugin.forgotten import Known

WITHIN = 10.0  # seconds for one answer; asked from a thread that nothing waits for


class DockerAway(OSError):
    """dockerd does not answer: what it knows is not known, so nothing may be concluded."""


class Docker:
    """A client; never used inside one of Docker's own calls to us (PROTOCOL rule 10)."""

    def __init__(self, address: str) -> None:
        self._path = address.removeprefix("unix://")

    def known(self, driver: str) -> Known:
        """Return the networks of a driver with their endpoints, and the subnets of all networks.

        Raises:
            DockerAway: no whole answer.

        """
        networks: dict[str, frozenset[str]] = {}
        subnets: set[str] = set()
        for network in self._get("/networks"):
            for config in (network.get("IPAM") or {}).get("Config") or ():
                subnets.add(config.get("Subnet", ""))
            if network.get("Driver") == driver:
                details = self._get(f"/networks/{network['Id']}")
                found = (details.get("Containers") or {}).values()
                networks[network["Id"]] = frozenset(c.get("EndpointID", "") for c in found)
        return Known(networks, frozenset(subnets))

    def _get(self, path: str) -> Any:
        connection = _UnixConnection(self._path)
        try:
            connection.request("GET", path, headers={"Host": "docker"})
            response = connection.getresponse()
            body = response.read()
            if response.status != http.client.OK:
                raise DockerAway(f"GET {path}: {response.status} {body[:200]!r}")
            return json.loads(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DockerAway(f"GET {path}: {error}") from error
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(WITHIN)
        self.sock.connect(self._path)
