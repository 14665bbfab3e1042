"""Traffic that goes on while something happens: pings and open TCP connections of one container."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab.command import wait_for
from lab.lab import Lab
from lab.node import Node
from lab.process import Process
from tests.system.steps import address

TALKER = Path(__file__).with_name("talker.py")
PORT = 7000
PINGS = 50  # a second


class Traffic:
    """What runs, by its target: "neighbour" (a container of the same network), "outside" (through the host's NAT)."""

    def __init__(self, pings: Mapping[str, Process], connections: Mapping[str, Process]) -> None:
        self._pings = pings
        self._connections = connections
        self._all = {f"ping {n}": p for n, p in pings.items()} | {f"talk {n}": p for n, p in connections.items()}

    def goes_on(self, *, but: str | None = None) -> None:
        """Wait until each ping and each open connection, none of which may have ended `but` one, has new answers."""
        before = {name: number for name, number in self._answered().items() if name != but}
        for name in before:
            assert self._all[name].alive(), f"{name} ended: {self._all[name].tail(3)}"

        def more() -> bool:
            after = self._answered()
            return all(after[name] > number + 1 for name, number in before.items())

        wait_for("new answers to all", more, 30)

    def lost(self) -> dict[str, int]:
        """Return how many pings were not answered so far, by target; unanswered ones at the end are on their way."""
        return {name: numbers[-1] - len(numbers) for name, numbers in self._numbers().items()}

    def _numbers(self) -> dict[str, list[int]]:
        """Return the numbers of the pings that were answered, by target."""
        answered = {name: set(re.findall(r"icmp_seq=(\d+) ttl", p.log.read_text())) for name, p in self._pings.items()}
        return {name: sorted(map(int, numbers)) for name, numbers in answered.items()}

    def _answered(self) -> dict[str, int]:
        pings = {f"ping {name}": len(numbers) for name, numbers in self._numbers().items()}
        return pings | {f"talk {n}": len(p.log.read_text().split()) for n, p in self._connections.items()}


@contextmanager
def traffic(lab: Lab, container: str, neighbour: str, network: str) -> Iterator[Traffic]:
    """Let a container ping and talk to its neighbour and to the outside until the end of the block."""
    host, python = lab.host, [sys.executable, "-SE", TALKER]
    started: list[Process] = []

    def spawn(node: Node, name: str, *argv: object) -> Process:
        node.path(f"/log/{name}").unlink(missing_ok=True)
        started.append(node.spawn(name, *argv))
        return started[-1]

    def inside(name: str) -> list[str]:
        return ["nsenter", "-t", str(host.container_pid(name)), "-n", "--"]

    try:
        targets = {"neighbour": address(host, neighbour, network), "outside": lab.outside.address}
        spawn(host, "echo", *inside(neighbour), *python, "serve", PORT)
        spawn(lab.outside, "echo", *python, "serve", PORT)
        for node, where in ((host, inside(neighbour)), (lab.outside, [])):
            wait_for("the servers", lambda node=node, where=where: f":{PORT}" in node.exec(*where, "ss", "-Hltn"))
        start = inside(container)
        pings = {
            name: spawn(host, f"ping-{name}", *start, "ping", "-n", "-i", 1 / PINGS, target)
            for name, target in targets.items()
        }
        talks = {
            name: spawn(host, f"talk-{name}", *start, *python, "ask", target, PORT) for name, target in targets.items()
        }
        running = Traffic(pings, talks)
        running.goes_on()
        yield running
    finally:
        for process in started:
            process.signal(signal.SIGKILL)
