"""Packets: our pipeline beside Open vSwitch's own switching (NORMAL) on the same datapath, and Docker's bridge."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from bench.attach import SLEEP
from bench.figures import Case, interleaved, keep, show
from lab.command import CommandFailed, wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.node import Node

SECONDS = 2  # of each iperf3 run
NORMAL = "normal0"  # a bridge without a controller: learns and switches by itself
BRIDGED, OURS, PLAIN = "Docker's bridge", "Moorage", "Open vSwitch NORMAL"
CONTAINERS = 4  # of each kind

Pair: TypeAlias = tuple[str, str]  # from this container, to that address


def prepare(host: Host) -> dict[str, list[Pair]]:
    """Make containers on each kind of network; return all pairs of them, in both directions.

    One pair would not do: in which of its directions a packet is quick is up to the order in which ovs-vswitchd looks
    at its ports, since the answer to a packet waits for the next look or is seen in this one.
    """
    pairs = {}
    for kind, network in ((BRIDGED, "bridged"), (OURS, "ours")):
        at = {}
        for number in range(CONTAINERS):
            name = f"{network}-{number}"
            host.docker("run", "-d", "--name", name, "--network", network, IMAGE, *SLEEP)
            where = f"{{{{.NetworkSettings.Networks.{network}.IPAddress}}}}"
            at[name] = host.docker("inspect", "-f", where, name).strip()
        pairs[kind] = _pairs(at)
    host.vsctl("add-br", NORMAL, "--", "set", "bridge", NORMAL, f"datapath_type={_datapath(host)}")
    at = {f"normal-{number}": f"10.70.0.{number + 1}" for number in range(CONTAINERS)}
    for number, (name, address) in enumerate(at.items()):
        _attach(host, name, f"nv{number}", address)
    pairs[PLAIN] = _pairs(at)
    for found in pairs.values():
        for name in {name for name, _ in found}:
            host.docker("exec", "-d", name, "iperf3", "-s")
    return pairs


def _pairs(at: Mapping[str, str]) -> list[Pair]:
    return [(one, at[other]) for one, other in itertools.permutations(at, 2)]


def measure(host: Host, rounds: int) -> None:
    """Print TCP throughput and round-trip time of each kind, a pair after the other."""
    pairs = prepare(host)
    tcp = interleaved({kind: _each(_throughput, host, found) for kind, found in pairs.items()}, rounds)
    show("TCP between two containers (goal: Moorage >= 0.95 of NORMAL)", tcp, PLAIN, "Gbit/s")
    every = CONTAINERS * (CONTAINERS - 1) * max(1, rounds // 2)
    times = interleaved({kind: _each(_round_trip, host, found) for kind, found in pairs.items()}, every)
    show("round-trip time, all pairs in both directions (goal: Moorage <= 1.1 of NORMAL)", times, PLAIN, "us")
    keep("datapath", {"tcp": tcp, "rtt": times})


def outside(host: Host, node: Node, rounds: int) -> None:
    """Print TCP throughput and round-trip time from a container to a machine outside, through NAT."""
    server = node.spawn("iperf3", "iperf3", "-s")
    wait_for("iperf3", lambda: node.exec("ss", "-Hltn", "sport", "=", ":5201"))
    pairs = {BRIDGED: [("bridged-0", node.address)], OURS: [("ours-0", node.address)]}
    tcp = interleaved({kind: _each(_throughput, host, found) for kind, found in pairs.items()}, rounds)
    show("TCP from a container to the outside", tcp, BRIDGED, "Gbit/s")
    times = interleaved({kind: _each(_round_trip, host, found) for kind, found in pairs.items()}, rounds * 2)
    show("round-trip time from a container to the outside", times, BRIDGED, "us")
    keep("outside", {"tcp": tcp, "rtt": times})
    server.stop()


def _each(measured: Callable[[Host, str, str], float], host: Host, pairs: Sequence[Pair]) -> Case:
    """Return a case that takes the next pair each time."""
    following = itertools.cycle(pairs)
    return lambda: measured(host, *next(following))


def _throughput(host: Host, client: str, server: str) -> float:
    out = json.loads(host.docker("exec", client, "iperf3", "-J", "-t", SECONDS, "-c", server))
    return float(out["end"]["sum_received"]["bits_per_second"]) / 1e9


def _round_trip(host: Host, client: str, server: str) -> float:
    out = host.docker("exec", client, "ping", "-q", "-c", "200", "-i", "0.005", server)
    found = re.search(r"= [\d.]+/([\d.]+)/", out)
    return float(found[1]) * 1000 if found else float("nan")


def first_pings(host: Host, runs: int) -> None:
    """Count first pings of new containers that are not answered."""
    lost = {"Docker's bridge": 0, "Moorage": 0}
    for _ in range(runs):
        for kind, network, target in (("Docker's bridge", "bridged", "10.60.0.1"), ("Moorage", "ours", "10.50.0.1")):
            try:
                host.docker("run", "--rm", "--network", network, IMAGE, "ping", "-c", "1", "-W", "1", target)
            except CommandFailed:
                lost[kind] += 1
    print(f"\nfirst ping after docker run, lost in {runs} runs (goal: 0)")
    for kind, count in lost.items():
        print(f"  {kind:34}{count:9}")
    keep("first-pings", lost)


def _attach(host: Host, container: str, port: str, address: str) -> None:
    """Join a container to the plain bridge as an operator would by hand."""
    host.docker("run", "-d", "--name", container, "--network", "none", IMAGE, *SLEEP)
    peer, pid = f"{port}p", host.container_pid(container)
    host.ip("link", "add", port, "type", "veth", "peer", "name", peer)
    host.ip("link", "set", port, "up")
    host.exec("ip", "link", "set", peer, "netns", pid)
    for words in (["addr", "add", f"{address}/24", "dev", peer], ["link", "set", peer, "up"]):
        host.in_netns(container, "ip", *words)
    host.vsctl("add-port", NORMAL, port)


def _datapath(host: Host) -> str:
    return host.vsctl("get", "bridge", "moorage0", "datapath_type").strip()
