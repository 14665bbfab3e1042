"""GlusterFS on machines of the lab: servers in a trusted pool, their volumes, and what may happen to them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar
from xml.etree import ElementTree as ET

from lab.command import CommandFailed, LabError, wait_for
from lab.lab import Lab
from lab.node import Node

BRICKS = "/var/lib/bricks"
BUSY = "Another transaction"  # the pool works on something else; that passes
PING_TIMEOUT = 4  # seconds until clients give up a silent server; GlusterFS's default is 42


class GlusterServer(Node):
    """A storage server: glusterd, and the bricks, self-heal and quota daemons that it starts."""

    PRIVATE: ClassVar[tuple[str, ...]] = ("/var/lib/glusterd", "/var/log/glusterfs", BRICKS)

    def start(self, *, wait: bool = True) -> None:
        """Start glusterd, which starts the bricks of its volumes; `wait_started` says when it can be used."""
        self.exec("mkdir", "-p", "/run/gluster")
        log = "/var/log/glusterfs/glusterd.log"
        self.spawn("glusterd", "glusterd", "--no-daemon", "-p", "/run/gluster/glusterd.pid", "-l", log)
        if wait:
            self.wait_started()

    def wait_started(self) -> None:
        """Wait until glusterd answers."""
        wait_for(f"glusterd on {self.name}", lambda: self.gluster("peer", "status"), 30)

    def restart(self) -> None:
        """Cut its power, and switch it on again."""
        self.crash()
        self.boot()
        self.start()

    def gluster(self, *argv: object, within: float = 60) -> str:
        """Run the `gluster` command and return what it printed; while the pool is busy, wait for it.

        Raises:
            CommandFailed: the pool refuses.
            LabError: it was busy for `within` seconds.

        """
        outcome: list[str | CommandFailed] = []

        def answered() -> bool:
            try:
                outcome[:] = [self.exec("gluster", "--mode=script", *argv, timeout=180)]
            except CommandFailed as error:
                outcome[:] = [error]
            return BUSY not in str(outcome[0])

        wait_for(f"gluster {' '.join(map(str, argv))}", answered, within)
        if isinstance(outcome[0], CommandFailed):
            raise outcome[0]
        return outcome[0]


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """Servers that trust each other."""

    servers: Sequence[GlusterServer]

    def __getitem__(self, name: str) -> GlusterServer:
        """Return the server of that name."""
        return next(server for server in self.servers if server.name == name)

    @property
    def first(self) -> GlusterServer:
        """A server that runs."""
        return next(server for server in self.servers if server.running)

    def gluster(self, *argv: object) -> str:
        """Run the `gluster` command on a server that runs."""
        return self.first.gluster(*argv)

    def connected(self) -> bool:
        """Return whether every server that runs reaches all its peers."""
        answers = [_parsed(server, "peer", "status") for server in self.servers if server.running]
        return all(peer.findtext("connected") == "1" for answer in answers for peer in answer.iter("peer"))

    def wait_connected(self) -> None:
        """Wait until the servers reach each other."""
        wait_for("the servers to reach each other", self.connected, 60)

    def volume(self, name: str, *, arbiter: bool = False, options: Mapping[str, object] | None = None) -> Volume:
        """Make and start a volume with a copy on each server; with `arbiter` the last one has names only."""
        bricks = [f"{server.name}:{BRICKS}/{name}" for server in self.servers]
        copies = ["replica", "2", "arbiter", "1"] if arbiter else ["replica", len(bricks)]
        self.gluster("volume", "create", name, *(copies if len(bricks) > 1 else []), *bricks, "force")
        made = Volume(self, name)
        made.set(**{"network.ping-timeout": PING_TIMEOUT, **(options or {})})
        made.start()
        return made


@dataclasses.dataclass(frozen=True, slots=True)
class Volume:
    """A volume of a pool."""

    pool: Pool
    name: str

    def start(self) -> None:
        """Start it, with bricks that were killed, and wait for all of them."""
        self.pool.gluster("volume", "start", self.name, "force")
        wait_for(f"all bricks of {self.name}", lambda: all(self.bricks().values()), 30)

    def stop(self) -> None:
        """Stop it."""
        self.pool.gluster("volume", "stop", self.name, "force")

    def delete(self) -> None:
        """Stop and delete it; its bricks' files stay."""
        self.stop()
        self.pool.gluster("volume", "delete", self.name)

    def set(self, **options: object) -> None:
        """Set options of it, such as `**{"auth.allow": "10.77.0.11"}`."""
        for option, value in options.items():
            self.pool.gluster("volume", "set", self.name, option, value)

    def reset(self, option: str) -> None:
        """Give an option its default again."""
        self.pool.gluster("volume", "reset", self.name, option)

    def bricks(self) -> dict[str, bool]:
        """Return for each server that runs, by name, whether its brick does."""
        return {
            str(node.findtext("hostname")): node.findtext("status") == "1"
            for node in _parsed(self.pool.first, "volume", "status", self.name).iter("node")
            if str(node.findtext("path")).startswith("/")
        }

    def wait_client(self, client: Node) -> None:
        """Wait until a node that has it mounted has found all its bricks, which takes 3 s after they came back."""

        def found() -> bool:
            nodes = [*_parsed(self.pool.first, "volume", "status", self.name, "clients").iter("node")]
            clients = [{str(name.text).split(":")[0] for name in node.iterfind(".//client/hostname")} for node in nodes]
            return len(clients) == len(self.pool.servers) and all(client.address in some for some in clients)

        wait_for(f"{client.name} to be served by all bricks of {self.name}", found, 30)

    def kill_brick(self, server: GlusterServer) -> None:
        """Kill the process that serves a server's copy."""
        server.exec("pkill", "-9", "-f", f"^/usr/sbin/glusterfsd .*--volfile-id {re.escape(self.name)}[.]")

    def limit(self, path: str, size: str) -> None:
        """Limit what a directory of it may hold, at once and exactly: the defaults take a minute to notice."""
        if "features.quota: on" not in self.pool.gluster("volume", "info", self.name):
            self.pool.gluster("volume", "quota", self.name, "enable")
            for timeout in ("hard-timeout", "soft-timeout"):
                self.pool.gluster("volume", "quota", self.name, timeout, 0)
        self.pool.gluster("volume", "quota", self.name, "limit-usage", path, size)

    def unhealed(self) -> int:
        """Return how many files await their copy.

        Raises:
            LabError: a brick does not say.

        """
        heal = _parsed(self.pool.first, "volume", "heal", self.name, "info")
        counts = [str(brick.findtext("numberOfEntries")) for brick in heal.iter("brick")]
        if not all(count.isdigit() for count in counts):
            msg = f"bricks of {self.name} do not answer: {counts}"
            raise LabError(msg)
        return sum(map(int, counts))

    def wait_healed(self, within: float = 60) -> None:
        """Have the servers heal it now (by themselves they look every 10 minutes), and wait until copies are equal."""
        wait_for(f"healing of {self.name} to begin", lambda: self.pool.gluster("volume", "heal", self.name), within)
        wait_for(f"the bricks of {self.name} to heal", lambda: self.unhealed() == 0, within)


def add_pool(lab: Lab, *names: str) -> Pool:
    """Add storage servers of these names to a lab, in one trusted pool."""
    pool = Pool([lab.add(GlusterServer, name) for name in names])
    for server in pool.servers:
        server.start(wait=False)
    for server in pool.servers:
        server.wait_started()
    first, *others = pool.servers
    for other in others:
        first.gluster("peer", "probe", other.name)
    if others:
        others[0].gluster("peer", "probe", first.name)  # who has only been called is known by its address until then
    pool.wait_connected()
    return pool


def _parsed(server: GlusterServer, *argv: object) -> ET.Element:
    """Return what the `gluster` command answers.

    Raises:
        LabError: it refuses, in an answer that says so with status 0.

    """
    answer = ET.fromstring(server.gluster("--xml", *argv))  # noqa: S314  # of a program of ours
    if answer.findtext("opRet") not in {"0", None}:
        msg = f"gluster {' '.join(map(str, argv))}: {answer.findtext('opErrstr')}"
        raise LabError(msg)
    return answer
