"""Where a lab keeps what it needs, and the right to be there: names, directories, one lab of a name at a time."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import stat
from pathlib import Path

from lab.command import LabError

ROOT = Path("/tmp/moorage-lab")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")  # of a lab: becomes part of Unix socket paths, 107 bytes at most
NODE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,9}")  # of a node: NODE-LAN becomes an interface name, 15 bytes at most


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """The directory ROOT/LAB and the cgroups `moorage-lab.LAB.NODE`."""

    lab: str
    root: Path = ROOT

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.lab):
            msg = f"a lab's name is 1 to 16 of a-z, 0-9 and '-', not {self.lab!r}"
            raise LabError(msg)

    @property
    def directory(self) -> Path:
        """Where everything of the lab is."""
        return self.root / self.lab

    def state(self, node: str) -> Path:
        """Return the directory of a node."""
        if not NODE_NAME.fullmatch(node):
            msg = f"a node's name is 1 to 10 of a-z, 0-9 and '-', not {node!r}"
            raise LabError(msg)
        return self.directory / node

    def cgroup(self, node: str) -> str:
        """Return the cgroup of a node, below each hierarchy's root."""
        return f"/moorage-lab.{self.lab}.{node}"

    @property
    def hosts(self) -> Path:
        """The names of its machines: the /etc/hosts of every node."""
        return self.directory / "hosts"

    def make(self) -> None:
        """Make the directory; only root may look into it."""
        make_root(self.root)
        self.directory.mkdir(mode=0o700)
        self.hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")

    def name(self, address: str, name: str) -> None:
        """Give an address a name, which all nodes know from now on."""
        with self.hosts.open("a") as file:
            file.write(f"{address} {name}\n")

    def claim(self) -> socket.socket:
        """Take the name for this process until the answer is closed or the process ends, however it ends.

        An abstract Unix socket is such a claim: the kernel lets one process have it, and leaves no file behind.

        Raises:
            LabError: a running process has the name.

        """
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0moorage-lab:{self.directory}")
        except OSError as error:
            claim.close()
            msg = f"lab {self.lab} is in use by a running process"
            raise LabError(msg) from error
        return claim


def make_root(root: Path) -> None:
    """Make the directory of all labs, unless there is one.

    Raises:
        LabError: somebody else may write there, and could swap what is in it under our feet.

    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        msg = f"{root} is not a directory of ours alone; remove it"
        raise LabError(msg)
