"""A host of the cluster: a node with Docker, Open vSwitch and Moorage."""

from __future__ import annotations

from pathlib import Path

from lab.docker import WithDocker
from lab.dockers import Docker
from lab.moorage import WithMoorage
from lab.openvswitch import WithOpenVSwitch
from lab.place import Place


class Host(WithDocker, WithOpenVSwitch, WithMoorage):
    """A machine as our users have it."""

    def __init__(self, name: str, place: Place, release: Docker) -> None:
        super().__init__(name, place)
        self.release = release

    def start(self, *, docker: bool = True, ovs: bool = True, moorage: bool = True) -> None:
        """Start the daemons as a machine does that was switched on: a plugin before Docker, which asks for it."""
        if ovs:
            self.start_ovs()
        if moorage:
            self.start_moorage()
        if docker:
            self.start_docker()

    def repair(self) -> None:
        """Bring it back to how `start` left it: what was started runs, and Docker has no containers and networks."""
        starts = {
            "ovsdb-server": self.start_ovsdb, "ovs-vswitchd": self.start_vswitchd,
            "moorage-db": self.start_db, "moorage-controller": self.start_controller,
            "moorage-netplugin": self.start_netplugin, "moorage-volplugin": self.start_volplugin,
            "dockerd": self.start_docker,
        }  # fmt: skip
        for name, start in starts.items():
            if name in self.procs:
                self.procs[name].resume()
                if not self.procs[name].alive():
                    start()
        if "dockerd" in self.procs:
            self.clear_docker()

    def where(self) -> str:
        """Say how to use it from a shell."""
        return f"docker -H unix://{self.docker_sock} ps   |   {' '.join(self.enter())} bash"

    def log(self, name: str) -> Path:
        """Return the file with the output of a daemon."""
        return self.path(f"/log/{name}")
