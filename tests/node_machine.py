"""A machine of the lab as the host of a volume plugin that runs in the tests' process, its workers on the machine."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.command import CommandFailed
from lab.moorage import CHECKOUT
from lab.node import Node
from tests.volume_machine import Life
from volplugin import mountinfo
from volplugin.mountinfo import Mounted
from volplugin.system.worker import Worker

DIRECTORY = Path("/var/lib/moorage/volumes")  # on the node


class NodeMachine:
    """The mounts, the network and the programs of a node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.directory = DIRECTORY

    def mounts(self) -> list[Mounted]:
        return mountinfo.mounts(Path(f"/proc/{self.node.pid}/mountinfo"))

    def worker(self, backend: str, _: Life) -> Worker:
        """Return a worker, which goes on until it is stopped: nothing here kills the daemon between two steps."""
        python = ("env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", "volplugin.worker")
        return Worker(backend, (*self.node.enter(), *python))

    def source(self, name: str) -> str:
        self.node.exec("mkdir", "-p", f"/var/lib/{name}")
        return f"/var/lib/{name}"

    def look(self, path: str) -> bool:
        return self.node.succeeds("test", "-d", path)

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a program there; return what it printed, or its errors where it failed and `check` is false."""
        try:
            return self.node.exec(*argv)
        except CommandFailed as error:
            if check:
                raise
            return str(error)
