"""A host of the cluster: a node with Docker, Open vSwitch and Moorage."""

from __future__ import annotations

from pathlib import Path

from lab.docker import WithDocker
from lab.moorage import WithMoorage
from lab.openvswitch import WithOpenVSwitch


class Host(WithDocker, WithOpenVSwitch, WithMoorage):
    """A machine as our users have it."""

    def start(self, *, docker: bool = True, ovs: bool = True, moorage: bool = True) -> None:
        """Start the daemons as a machine does that was switched on: a plugin before Docker, which asks for it."""
        if ovs:
            self.start_ovs()
        if moorage:
            self.start_moorage()
        if docker:
            self.start_docker()

    def where(self) -> str:
        """Say how to use it from a shell."""
        return f"docker -H unix://{self.docker_sock} ps   |   {' '.join(self.enter())} bash"

    def log(self, name: str) -> Path:
        """Return the file with the output of a daemon."""
        return self.path(f"/log/{name}")
