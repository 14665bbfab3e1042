"""What Docker's own API tells of volumes: which of a driver's are used by containers that run."""

from __future__ import annotations

from collections import Counter

from daemonkit import docker
from daemonkit.docker import Answer


class _Mount(Answer, frozen=True):
    name: str = ""
    driver: str = ""


class _Container(Answer, frozen=True):
    mounts: list[_Mount] | None = None


class Docker(docker.Docker):
    """What is asked of it."""

    def used(self, driver: str) -> Counter[str]:
        """Return how many mounts of each volume of a driver running containers have, paused ones included.

        Raises:
            DockerAway: no whole answer.

        """
        running = self.get("/containers/json", list[_Container])
        return Counter(mount.name for one in running for mount in one.mounts or () if mount.driver == driver)
