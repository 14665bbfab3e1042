"""A node with Docker: a dockerd of its own, which starts its own containerd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Unpack

from lab.command import CommandFailed, LabError, Options, run, wait_for
from lab.dockers import Docker
from lab.image import IMAGE
from lab.node import Node

IDLE = ["sh", "-c", "trap 'exit 0' TERM; sleep 2147483647 & wait"]  # a plain `sleep` as pid 1 is deaf to TERM for 10 s


class WithDocker(Node):
    """What a host does with Docker."""

    PRIVATE: ClassVar[tuple[str, ...]] = ("/var/lib/docker", "/var/lib/containerd", "/etc/docker")

    release: Docker  # whose programs it runs

    @property
    def docker_sock(self) -> Path:
        """The API's Unix socket, as the machine sees it."""
        return self.path("/run/docker.sock")

    def start_docker(self, *options: str, wait: bool = True) -> None:
        """Start dockerd, with further options; `wait_docker` says when it can be used."""
        self.spawn(
            "dockerd", "dockerd",
            "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"{self.cgroup.name}/docker",
            *options,
            env={"PATH": self.release.search},
        )  # fmt: skip
        if wait:
            self.wait_docker()

    def wait_docker(self, within: float = 60) -> None:
        """Wait until dockerd answers.

        Raises:
            LabError: it ended, or did not answer in `within` seconds.

        """
        dockerd = self.procs["dockerd"]
        wait_for(f"dockerd on {self.name}", lambda: not dockerd.alive() or self.docker("version"), within)
        if not dockerd.alive():
            msg = f"dockerd on {self.name} ended:\n{dockerd.tail()}"
            raise LabError(msg)

    def docker(self, *argv: object, **options: Unpack[Options]) -> str:
        """Run `docker` with this host's dockerd and return what it printed."""
        return run([self.release.client, "-H", f"unix://{self.docker_sock}", *argv], **options)

    def load_image(self, tar: Path) -> None:
        """Give Docker the image that containers of the lab are made from, unless it has one."""
        if not self.docker("images", "-q", IMAGE).strip():
            self.docker("import", "-c", f"CMD {json.dumps(IDLE)}", tar, IMAGE)

    def clear_docker(self) -> None:
        """Remove all containers, and all networks and volumes that users made."""
        if containers := self.docker("ps", "-aq").split():
            self.docker("rm", "-f", *containers)
        if networks := self.docker("network", "ls", "-q", "--filter", "type=custom").split():
            self.docker("network", "rm", *networks)
        if volumes := self.docker("volume", "ls", "-q").split():
            self.docker("volume", "rm", *volumes)

    def container_pid(self, container: str) -> int:
        """Return the process id of a container on the node."""
        return int(self.docker("inspect", "-f", "{{.State.Pid}}", container))

    def in_netns(self, container: str, *argv: object, **options: Unpack[Options]) -> str:
        """Run a program of the machine (ip, tcpdump, iperf3 ...) in a container's network namespace."""
        return self.exec("nsenter", "-t", self.container_pid(container), "-n", "--", *argv, **options)

    def reaches(self, container: str, address: object, *, count: int = 1) -> bool:
        """Return whether each of `count` pings from inside a container is answered, the last within a second."""
        try:
            out = self.docker("exec", container, "ping", "-c", count, "-W", "1", address)
        except CommandFailed:
            return False
        return " 0% packet loss" in out
