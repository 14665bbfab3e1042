"""The containers of this host as Docker knows them: their names, states, networks and process ids."""

from __future__ import annotations

from typing import TypeVar

from cli.tracing.facts import CannotLook
from cli.tracing.wire import Answer, Listed
from daemonkit.docker import DockerAway
from netplugin.docker import Docker

T = TypeVar("T")


class _State(Answer, frozen=True):
    pid: int = 0


class _Inspected(Answer, frozen=True):
    state: _State


class _Network(Answer, frozen=True):
    id: str
    driver: str = ""


class DockerKnows:
    """Docker's answers."""

    def __init__(self, address: str, driver: str) -> None:
        self._docker = Docker(address)
        self._driver = driver

    def containers(self) -> list[Listed]:
        """Return all containers, those too that do not run.  Raises CannotLook."""
        return self._get("/containers/json?all=1", list[Listed])

    def networks(self) -> frozenset[str]:
        """Return the ids of the networks of our driver.  Raises CannotLook."""
        return frozenset(n.id for n in self._get("/networks", list[_Network]) if n.driver == self._driver)

    def pid(self, container: str) -> int:
        """Return the process that has a container's network stack; 0 where none runs.  Raises CannotLook."""
        return self._get(f"/containers/{container}/json", _Inspected).state.pid

    def _get(self, path: str, kind: type[T]) -> T:
        try:
            return self._docker.get(path, kind)
        except DockerAway as error:
            raise CannotLook(f"Docker does not answer: {error}") from error
