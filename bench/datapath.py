"""Packets: our pipeline beside Open vSwitch's own switching (NORMAL) on the same datapath, and Docker's bridge."""

from __future__ import annotations

import functools
import json
import re

from bench.attach import SLEEP
from bench.figures import interleaved, keep, show
from lab.command import CommandFailed
from lab.host import Host
from lab.image import IMAGE

SECONDS = 2  # of each iperf3 run
NORMAL = "normal0"  # a bridge without a controller: learns and switches by itself


def prepare(host: Host) -> dict[str, tuple[str, str]]:
    """Make two containers on each kind of network; return {kind: (client, server's address)}."""
    pairs = {}
    for kind, network in (("Docker's bridge", "bridged"), ("Moorage", "ours")):
        for role in ("from", "to"):
            host.docker("run", "-d", "--name", f"{network}-{role}", "--network", network, IMAGE, *SLEEP)
        where = f"{{{{.NetworkSettings.Networks.{network}.IPAddress}}}}"
        pairs[kind] = (f"{network}-from", host.docker("inspect", "-f", where, f"{network}-to").strip())
    host.vsctl("add-br", NORMAL, "--", "set", "bridge", NORMAL, f"datapath_type={_datapath(host)}")
    for role, address in (("from", "10.70.0.1"), ("to", "10.70.0.2")):
        _attach(host, f"normal-{role}", f"nv{role}", address)
    pairs["Open vSwitch NORMAL"] = ("normal-from", "10.70.0.2")
    for server in ("bridged-to", "ours-to", "normal-to"):
        host.docker("exec", "-d", server, "iperf3", "-s")
    return pairs


def measure(host: Host, rounds: int) -> None:
    """Print TCP throughput and round-trip time of each kind."""
    pairs = prepare(host)

    def throughput(client: str, server: str) -> float:
        out = json.loads(host.docker("exec", client, "iperf3", "-J", "-t", SECONDS, "-c", server))
        return float(out["end"]["sum_received"]["bits_per_second"]) / 1e9

    def rtt(client: str, server: str) -> float:
        out = host.docker("exec", client, "ping", "-q", "-c", "200", "-i", "0.005", server)
        found = re.search(r"= [\d.]+/([\d.]+)/", out)
        return float(found[1]) * 1000 if found else float("nan")

    against = "Open vSwitch NORMAL"
    tcp = interleaved({kind: functools.partial(throughput, *pair) for kind, pair in pairs.items()}, rounds)
    show("TCP between two containers (goal: Moorage >= 0.95 of NORMAL)", tcp, against, "Gbit/s")
    times = interleaved({kind: functools.partial(rtt, *pair) for kind, pair in pairs.items()}, rounds)
    show("round-trip time (goal: Moorage <= 1.1 of NORMAL)", times, against, "us")
    keep("datapath", {"tcp": tcp, "rtt": times})


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
