"""Attaching containers: connect + disconnect, run, first ping, many at once; beside Docker's own bridge driver."""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import statistics
import time

from bench.docker_api import Api
from bench.figures import Case, interleaved, keep, show, timed
from lab.host import Host
from lab.image import IMAGE

CREATE = ("network", "create", "-d", "moorage-net", "--ipam-driver", "moorage-net")
SWITCH = "Open vSwitch alone (ovs-vsctl)"
SLEEP = ("sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait")


def networks(host: Host) -> None:
    """Make one network of each driver, and a container that is connected and disconnected."""
    host.docker(*CREATE, "--subnet", "10.50.0.0/16", "ours")
    host.docker("network", "create", "-d", "bridge", "--subnet", "10.60.0.0/16", "bridged")
    host.docker("run", "-d", "--name", "subject", "--network", "none", IMAGE, *SLEEP)
    host.docker("network", "disconnect", "none", "subject")


def connects(host: Host, rounds: int, endpoints: int) -> dict[str, list[float]]:
    """Measure connect + disconnect on a running container while `endpoints` others are there on each network."""
    api = Api(host.docker_sock)

    def case(network: str) -> Case:
        def act() -> None:
            api.connect(network, "subject")
            api.disconnect(network, "subject")

        return timed(act)

    cases = {"Docker's bridge": case("bridged"), "Moorage": case("ours"), SWITCH: _switch(host)}
    found = interleaved(cases, rounds)
    show(f"connect + disconnect on a running container, {endpoints} endpoints a network", found, "Docker's bridge")
    keep(f"connect-{endpoints}", found)
    return found


def _switch(host: Host) -> Case:
    """Return the case of Open vSwitch alone: a port that is added and deleted, by its own tool."""
    if "bench0" not in host.ip("link"):
        host.ip("link", "add", "bench0", "type", "veth", "peer", "name", "bench1")

    def act() -> None:
        host.vsctl("add-port", "moorage0", "bench0")
        host.vsctl("del-port", "moorage0", "bench0")

    return timed(act)


def populate(host: Host, endpoints: int, names: itertools.count[int]) -> None:
    """Give each network that many more endpoints: containers that sit on both."""
    api = Api(host.docker_sock)
    for _ in range(endpoints):
        name = f"peer{next(names)}"
        host.docker("run", "-d", "--name", name, "--network", "ours", IMAGE, *SLEEP)
        api.connect("bridged", name)


def parallel(host: Host, rounds: int, containers: int) -> dict[str, list[float]]:
    """Measure the time each of many connects takes when all are asked at once."""
    names = [f"many{i}" for i in range(containers)]
    for name in names:
        host.docker("run", "-d", "--name", name, "--network", "none", IMAGE, *SLEEP)
        host.docker("network", "disconnect", "none", name)

    def case(network: str) -> Case:
        def run() -> float:
            with concurrent.futures.ThreadPoolExecutor(containers) as pool:
                began = time.perf_counter()
                list(pool.map(lambda name: Api(host.docker_sock).connect(network, name), names))
                took = (time.perf_counter() - began) * 1000 / containers
                list(pool.map(lambda name: Api(host.docker_sock).disconnect(network, name), names))
            return took

        return run

    found = interleaved({"Docker's bridge": case("bridged"), "Moorage": case("ours")}, rounds)
    show(f"{containers} connects at once, time each", found, "Docker's bridge")
    keep("parallel", found)
    for name in names:
        host.docker("rm", "-f", name)
    return found


def runs(host: Host, rounds: int) -> None:
    """Measure `docker run --rm` of nothing, and run + first ping answered, through the command line as users do."""

    def run(network: str, *command: str) -> Case:
        return timed(lambda: host.docker("run", "--rm", "--network", network, IMAGE, *command))

    found = interleaved(
        {"none": run("none", "true"), "Docker's bridge": run("bridged", "true"), "Moorage": run("ours", "true")},
        rounds,
    )
    show("docker run --rm", found, "Docker's bridge")
    keep("run", found)
    first = interleaved(
        {
            "Docker's bridge": run("bridged", "ping", "-c", "1", "-W", "5", "10.60.0.1"),
            "Moorage": run("ours", "ping", "-c", "1", "-W", "5", "10.50.0.1"),
        },
        rounds,
    )
    show("docker run --rm, and its first ping to the gateway answered", first, "Docker's bridge")
    keep("run-ping", first)


def runs_at_once(host: Host, rounds: int, containers: int) -> None:
    """Measure the time each of several `docker run --rm` takes when all are started at once."""

    def case(network: str) -> Case:
        def run() -> float:
            with concurrent.futures.ThreadPoolExecutor(containers) as pool:
                began = time.perf_counter()
                words = ("run", "--rm", "--network", network, IMAGE, "true")
                list(pool.map(lambda _: host.docker(*words, timeout=120), range(containers)))
                return (time.perf_counter() - began) * 1000 / containers

        return run

    found = interleaved({"none": case("none"), "Docker's bridge": case("bridged"), "Moorage": case("ours")}, rounds)
    show(f"{containers} times docker run --rm at once, time each", found, "Docker's bridge")
    keep("runs-at-once", found)


def reused(host: Host, rounds: int) -> None:
    """Measure run + first ping answered, to a container that has known the address as somebody else's."""
    cases = {}
    for kind, network, subnet in (("Docker's bridge", "bridged", "10.60"), ("Moorage", "ours", "10.50")):
        host.docker(
            "run", "-d", "--name", f"known-{network}", "--network", network, "--ip", f"{subnet}.9.1", IMAGE, *SLEEP
        )
        words = ("--ip", f"{subnet}.9.2", IMAGE, "ping", "-c", "1", "-W", "5", f"{subnet}.9.1")
        cases[kind] = timed(functools.partial(host.docker, "run", "--rm", "--network", network, *words))
    found = interleaved(cases, rounds)
    show("docker run --rm with an address that was another's, and its first ping answered", found, "Docker's bridge")
    keep("reused", found)
    host.docker("rm", "-f", "known-bridged", "known-ours")


def growth(few: dict[str, list[float]], many: dict[str, list[float]]) -> None:
    """Print how connect + disconnect grows with the endpoints on the host."""
    for name, values in few.items():
        ratio = statistics.median(many[name]) / statistics.median(values)
        print(f"  {name}: p50 with many endpoints over p50 with few: {ratio:.2f}x")
    more = {name: statistics.median(many[name]) - statistics.median(values) for name, values in few.items()}
    grown = statistics.median(few["Moorage"]) + more["Moorage"] - more[SWITCH]
    beyond = grown / statistics.median(few["Moorage"])
    print(f"  Moorage, without what Open vSwitch itself adds for a port: {beyond:.2f}x   goal <= 1.2")
