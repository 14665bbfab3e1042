"""Docker's own API on its Unix socket, as little of it as is needed: single answers to questions."""

from __future__ import annotations

import http.client
import socket
from typing import TypeVar

import msgspec

WITHIN = 10.0  # seconds for one answer; asked from a thread that nothing waits for

T = TypeVar("T")


class DockerAway(OSError):
    """dockerd does not answer: what it knows is not known, so nothing may be concluded."""


class Answer(msgspec.Struct, frozen=True, rename="pascal"):
    """Base of what is read; keys that are not named are ignored."""


class Docker:
    """A client; never used inside one of Docker's own calls to us (PROTOCOL rule 10)."""

    def __init__(self, address: str) -> None:
        self._path = address.removeprefix("unix://")

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


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(WITHIN)
        self.sock.connect(self._path)
