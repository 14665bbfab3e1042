"""Published ports: what one more costs where many are there already; beside Docker's own bridge driver."""

from __future__ import annotations

from bench.attach import SLEEP
from bench.docker_api import Api
from bench.figures import Case, interleaved, keep, show, timed
from lab.host import Host
from lab.image import IMAGE

FIRST = 20000  # port of the host
COUNTS = (1, 100, 1000)
PROXIES = 100  # ports of the bridge driver at most: Docker runs a process for each of its own


def measure(host: Host, rounds: int, counts: tuple[int, ...] = COUNTS) -> None:
    """Print connect + disconnect of a container that publishes one port, while so many others are published."""
    api = Api(host.docker_sock)
    host.docker("run", "-d", "--name", "publisher", "--network", "bridged", "-p", "19999:80", IMAGE, *SLEEP)
    host.docker("network", "disconnect", "bridged", "publisher")

    def case(network: str) -> Case:
        def act() -> None:
            api.connect(network, "publisher")
            api.disconnect(network, "publisher")

        return timed(act)

    found: dict[str, list[float]] = {}
    for count in counts:
        there = {"ours": count, "bridged": min(count, PROXIES)}
        for number, (network, ports) in enumerate(there.items()):
            first = FIRST + number * max(counts)
            span = f"{first}-{first + ports - 1}"
            words = ("--name", f"many-{network}", "--network", network, "-p", f"{span}:{span}")
            host.docker("run", "-d", *words, IMAGE, *SLEEP, timeout=300)
        cases = {f"Moorage, {count} ports": case("ours")}
        if count <= PROXIES:
            cases[f"Docker's bridge, {count} ports"] = case("bridged")
        found |= interleaved(cases, rounds)
        host.docker("rm", "-f", *(f"many-{network}" for network in there), timeout=300)
    show("connect + disconnect of a container that publishes a port", found, f"Docker's bridge, {counts[0]} ports")
    keep("published", found)
    host.docker("rm", "-f", "publisher")
