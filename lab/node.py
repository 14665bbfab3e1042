"""A machine of the lab: namespaces around one init process that waits on a pipe.

Whatever runs on a node dies with its init, and init dies when the pipe closes: a process that holds a lab and is killed
leaves no daemon, container, mount or network interface behind.  A node has its own /run and other directories, so
daemons use their default paths, and it can reboot: /run is empty then, the other directories are as they were left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, Protocol, Unpack

from lab import nameserver, process
from lab.cgroups import Cgroup
from lab.command import CommandFailed, LabError, Options, run
from lab.place import Place
from lab.process import Process

INIT = Path(__file__).with_name("init.sh")


class Wires(Protocol):
    """What nodes are plugged into."""

    def plug_in(self, node: Node, link: Link) -> None:
        """Give the running node its interface."""

    def pull_out(self, node: Node, link: Link) -> None:
        """Take the interface away."""


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """An interface of a node: it comes back with the same addresses at each boot."""

    wires: Wires
    lan: str
    name: str
    address: ipaddress.IPv4Interface | None = None
    gateway: ipaddress.IPv4Address | None = None


class Node:
    """A machine without Docker or Open vSwitch: a router, a client, the outside."""

    PRIVATE: ClassVar[tuple[str, ...]] = ("/run",)  # directories of its own; those of base classes are too

    def __init__(self, name: str, place: Place) -> None:
        self.name = name
        self.state = place.state(name)
        self.cgroup = Cgroup(place.cgroup(name))
        self.links: list[Link] = []
        self.procs: dict[str, Process] = {}
        self._init: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._join: list[Path] = []  # files to write a process id to, for our cgroups

    # -- life ---------------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it is switched on."""
        return self._pid is not None

    @property
    def pid(self) -> int:
        """Process id of its init, on the machine."""
        if self._pid is None:
            msg = f"{self.name} is not running"
            raise LabError(msg)
        return self._pid

    @property
    def address(self) -> str:
        """The address of its first interface."""
        first = self.links[0].address
        if first is None:
            msg = f"{self.name} has no address on its first interface"
            raise LabError(msg)
        return str(first.ip)

    def boot(self) -> None:
        """Switch it on: no process runs but init, the interfaces are plugged in."""
        if self.running:
            msg = f"{self.name} is running"
            raise LabError(msg)
        (self.state / "log").mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.path("/run"), ignore_errors=True)  # a real /run is empty after a reboot
        servers = [
            "127.0.0.1",
            *(str(link.gateway) for link in self.links[:1] if link.gateway),
        ]  # Docker's own bridge takes the second
        self.path("/resolv.conf").write_text("".join(f"nameserver {server}\n" for server in servers))
        private = sorted({d for kind in type(self).__mro__ for d in vars(kind).get("PRIVATE", ())})
        namespaces = ["--fork", "--kill-child", "--pid", "--mount", "--net", "--uts", "--ipc"]
        with self.path("/log/init").open("ab") as log:
            init = subprocess.Popen(
                ["unshare", *namespaces, "sh", INIT, self.state, self.name, *private],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        line = init.stdout.readline() if init.stdout else b""
        if not line:
            init.wait()
            msg = f"{self.name} did not boot: {self.path('/log/init').read_text().strip()}"
            raise LabError(msg)
        self._init, self._pid = init, int(line)
        self._join = self.cgroup.make()
        for link in self.links:
            link.wires.plug_in(self, link)
        self.spawn("nameserver", sys.executable, "-SE", nameserver.__file__)

    def install(self, link: Link) -> Link:
        """Have an interface, now and after each boot."""
        self.links.append(link)
        if self.running:
            link.wires.plug_in(self, link)
        return link

    def crash(self) -> None:
        """Cut the power: every process dies at once, the interfaces go, the private directories stay but for /run."""
        if self._init is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        for link in self.links:
            link.wires.pull_out(self, link)
        with contextlib.suppress(OSError):
            self.cgroup.freeze(on=False)  # a frozen process does not die before it thaws
        for proc in self.procs.values():
            proc.outside.send_signal(signal.SIGCONT)
        self._init.communicate(timeout=10)  # closes the pipes
        for proc in self.procs.values():
            proc.outside.wait(10)
        self._init = self._pid = None
        self.procs.clear()

    def destroy(self) -> None:
        """Crash it, and remove its cgroups and directories."""
        self.crash()
        # Docker puts managed plugins straight under the root of each hierarchy, by their 64-digit id
        plugins = self.path("/var/lib/docker/plugins")
        ids = [p.name for p in plugins.iterdir() if len(p.name) == 64] if plugins.is_dir() else []
        self.cgroup.remove(ids)
        shutil.rmtree(self.state, ignore_errors=True)

    def freeze(self, *, on: bool = True) -> None:
        """Hang every process, containers too (its kernel side goes on: bridges, tunnels, pings), or let them go on."""
        self.cgroup.freeze(on=on)

    # -- use ----------------------------------------------------------------------------------------------------------

    def path(self, inside: str) -> Path:
        """Return where a file of a private directory lies on the machine."""
        return self.state / inside.lstrip("/")

    def enter(self) -> list[str]:
        """Return the words that run a command on it."""
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "-u", "-i", "--"]

    def exec(self, *argv: object, **options: Unpack[Options]) -> str:
        """Run a command on it to its end and return what it printed."""
        return run([*self.enter(), *argv], **options)

    def succeeds(self, *argv: object) -> bool:
        """Run a command on it to its end, and return whether its status was 0."""
        try:
            self.exec(*argv)
        except CommandFailed:
            return False
        return True

    def ip(self, *argv: object, **options: Unpack[Options]) -> str:
        """Run `ip` in its network namespace."""
        return run(["nsenter", "-t", self.pid, "-n", "ip", *argv], **options)

    def sysctl(self, key: str, value: object = None) -> str:
        """Read a sysctl (`net.ipv4.ip_forward`) of its network namespace, or set it and return what it became."""
        file = "/proc/sys/" + key.replace(".", "/")
        if value is not None:
            self.exec("tee", file, stdin=f"{value}\n")
        return self.exec("cat", file).strip()

    def pings(self, address: object, *, count: int = 1, seconds: int = 1) -> bool:
        """Return whether every one of `count` pings to `address` is answered, the last within `seconds`."""
        return self.succeeds("ping", "-n", "-i", "0.2", "-c", count, "-W", seconds, address)

    def spawn(self, name: str, *argv: object, env: dict[str, str] | None = None) -> Process:
        """Start a daemon; its output goes to `<state>/log/<name>`."""
        if (old := self.procs.get(name)) and old.alive():
            msg = f"{name} is already running on {self.name}"
            raise LabError(msg)
        started = process.start(self, name, [str(word) for word in argv], self._join, {**os.environ, **(env or {})})
        self.procs[name] = started
        return started

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}{'' if self.running else ', off'}>"
