"""Docker's Engine API over its Unix socket on one kept connection, so that the command line is not what is measured."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


class Api:
    """The few calls that the benchmarks make."""

    def __init__(self, path: Path) -> None:
        self._connection = _Connection(path)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Make a call; raises RuntimeError with Docker's text where it fails."""
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, {"Content-Type": "application/json", "Host": "docker"})
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {data.decode(errors='replace')}")
        return json.loads(data) if data else None

    def connect(self, network: str, container: str) -> None:
        """`docker network connect`."""
        self.call("POST", f"/networks/{network}/connect", {"Container": container})

    def disconnect(self, network: str, container: str) -> None:
        """`docker network disconnect`."""
        self.call("POST", f"/networks/{network}/disconnect", {"Container": container})
