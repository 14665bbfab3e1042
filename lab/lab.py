"""A lab: hosts, wires and an outside; nothing of it is left when it ends, however it ends."""

from __future__ import annotations

import concurrent.futures
import contextlib
import shutil
import socket
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from lab import dockers
from lab.cgroups import Cgroup, hierarchies
from lab.command import LabError
from lab.fabric import Fabric
from lab.host import Host
from lab.image import make_image
from lab.moorage import Config
from lab.node import Node
from lab.place import ROOT, Place, make_root

AT_ONCE = 4  # hosts that start at a time
OUTSIDE = 9  # its number in its LAN: 203.0.113.9
ADDED = 101  # number in its LAN of the first machine that is added: 10.77.0.101

AnyNode = TypeVar("AnyNode", bound=Node)


class Lab:
    """A cluster on this machine; use it in a `with` statement.

    `hosts` are h1, h2 and so on, with 10.77.0.11, 10.77.0.12 ... as eth0 (for Docker, OpenFlow, records) and 10.77.1.11
    ... as eth1 (for tunnels).  `outside` is 203.0.113.9, which hosts reach through the fabric and containers only
    through NAT.  `add` puts machines that are not ours, such as storage servers, beside the hosts.  Every machine knows
    the others by name.  Labs of different names know nothing of each other.  `release` is whose Docker they run: a
    name or version that `dockers.find` takes.  With `shared` all hosts use the records of the first.
    """

    def __init__(
        self,
        name: str = "lab",
        *,
        hosts: int = 1,
        docker: bool = True,
        release: str = "",
        ovs: bool = True,
        moorage: bool = True,
        config: Config | None = None,
        shared: bool = False,
        mtu: int = 1500,
        root: Path = ROOT,
    ) -> None:
        self.place = Place(name, root)
        self.fabric = Fabric(self.place, mtu)
        self.hosts = [Host(f"h{i + 1}", self.place, dockers.find(release)) for i in range(hosts)]
        self.outside = Node("outside", self.place)
        self.added: list[Node] = []
        self._daemons = {"docker": docker, "ovs": ovs, "moorage": moorage}
        self._config = config
        self._shared = shared
        self._claim: socket.socket | None = None

    @property
    def host(self) -> Host:
        """The first host."""
        return self.hosts[0]

    @property
    def nodes(self) -> list[Node]:
        """All machines, the fabric last: it must be there for the others to be pulled out."""
        return [*self.hosts, *self.added, self.outside, self.fabric]

    def start(self) -> Self:
        """Start everything; what killed processes left of their labs is removed first.

        Raises:
            LabError: something did not start, or a running process has a lab of this name.  `stop` clears up.

        """
        sweep(self.place.root)
        self._claim = self.place.claim()
        self.place.make()
        self.fabric.boot()
        self._attach(self.outside, "outside", OUTSIDE)
        self.outside.boot()
        for number, host in enumerate(self.hosts, start=11):
            self._attach(host, "mgmt", number)
            self.fabric.attach(host, "data", "eth1", number)
        image = self.place.directory / "image.tar"
        if self._daemons["docker"]:
            make_image(image)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda host: self._start(host, image), self.hosts))
        return self

    def add(self, kind: type[AnyNode], name: str) -> AnyNode:
        """Boot another machine in the running lab: 10.77.0.101, 10.77.0.102 ... on the LAN of the hosts."""
        node = kind(name, self.place)
        self._attach(node, "mgmt", ADDED + len(self.added))
        self.added.append(node)
        node.boot()
        return node

    def stop(self) -> None:
        """Stop everything and remove every trace; does nothing where the name is not ours."""
        if self._claim is None:
            return
        with contextlib.ExitStack() as last:
            last.callback(self._claim.close)
            self._claim = None
            last.callback(shutil.rmtree, self.place.directory, ignore_errors=True)
            for node in reversed(self.nodes):  # callbacks run from the last to the first
                last.callback(node.destroy)  # each, also when another one's fails

    def _attach(self, node: Node, lan: str, number: int) -> None:
        self.fabric.attach(node, lan, "eth0", number)
        self.place.name(node.address, node.name)

    def _start(self, host: Host, image: Path) -> None:
        host.boot()
        if self._shared:
            host.records_at = self.host.address
        if self._config is not None:
            host.configure(self._config)
        host.start(**self._daemons)
        if self._daemons["docker"]:
            host.load_image(image)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def sweep(root: Path = ROOT) -> dict[str, str]:
    """Remove what labs left whose processes were killed; return what became of each lab found: `removed`, or why not.

    Their nodes are dead, but directories and empty cgroups stay.
    """
    make_root(root)
    found = {}
    for name in sorted(path.name for path in root.iterdir()):
        try:
            place = Place(name, root)
            with place.claim():
                for node in _nodes(place):
                    Node(node, place).destroy()
                shutil.rmtree(place.directory, ignore_errors=True)
            found[name] = "removed"
        except LabError as error:
            found[name] = f"left alone: {error}"
    return found


def leftovers(place: Place) -> list[str]:
    """Return what a lab that was stopped must not leave: directories, mounts, cgroups, processes."""
    mark = f"{place.directory}/"
    found = [f"directory {place.directory}"] if place.directory.exists() else []
    found += [
        f"mount {line.split()[4]}" for line in Path("/proc/self/mountinfo").read_text().splitlines() if mark in line
    ]
    found += [f"cgroup {path}" for name in _nodes(place) for path in Cgroup(place.cgroup(name)).remains()]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (process / "mountinfo").read_text():
                found.append(f"process {process.name} {(process / 'comm').read_text().strip()}")
    return found


def _nodes(place: Place) -> set[str]:
    """Return the names of nodes that there are traces of."""
    prefix = place.cgroup("x").lstrip("/").removesuffix("x")
    groups = {path.name for point in hierarchies().values() for path in point.glob(f"{prefix}*")}
    states = {path.name for path in place.directory.glob("*/")} if place.directory.exists() else set()
    return states | {group.removeprefix(prefix) for group in groups}
