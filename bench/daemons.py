"""The daemons themselves: memory, start-up, and what an empty call costs."""

from __future__ import annotations

import http.client
import ipaddress
import itertools
import socket
import time
import uuid
from pathlib import Path

from bench.figures import interleaved, keep, show, timed
from lab.command import run, wait_for
from lab.host import Host
from records.model import Endpoint, EndpointId
from records.ovsdb import OvsdbStore
from records.writes import Insert

GOALS = {"moorage-netplugin": 75, "moorage-controller": 75}  # MiB


def memory(host: Host) -> None:
    """Print each daemon's proportional memory, idle: its own processes on the host together."""
    print("\nmemory (PSS), MiB")
    found = {}
    for name in ("moorage-db", "moorage-controller", "moorage-netplugin", "moorage-volplugin"):
        found[name] = sum(pss(pid) for pid in family(host, name)) / 1024
        goal = f"   goal <= {GOALS[name]}" if name in GOALS else ""
        print(f"  {name:34}{found[name]:9.1f}{goal}")
    keep("memory", found)


def crowd(host: Host, endpoints: int) -> None:
    """Give the host that many endpoints more, without containers: links, ports and flows are made all the same."""
    store = OvsdbStore(f"unix:{host.path('/run/moorage/db.sock')}")
    store.ready(10)
    records = store.snapshot()
    network = next(iter(records.docker_networks))
    taken = {endpoint.ofport for endpoint in records.endpoints} | {vrf.ofport for vrf in records.vrfs}
    free = (number for number in itertools.count(1) if number not in taken)
    writes = [
        Insert(
            Endpoint(
                id=EndpointId(uuid.uuid4()),
                docker_id=uuid.uuid4().hex * 2,
                docker_network=network.id,
                network=network.network,
                host=network.host,
                ofport=next(free),
                mac=f"02:42:0a:32:c8:{number % 256:02x}",
                ipv4=ipaddress.IPv4Interface(f"10.50.{200 + number // 250}.{number % 250 + 1}/16"),
            )
        )
        for number in range(endpoints)
    ]
    store.commit(writes, within=30)
    wait_for("the endpoints", lambda: all(e.up for e in store.snapshot().endpoints), 300)
    store.close()


def startup(host: Host, rounds: int, endpoints: int) -> None:
    """Print how long each daemon takes from its start until it can be used."""
    print(f"\nstart-up until usable, ms (of a killed one, with its state: {endpoints} endpoints)")
    found: dict[str, list[float]] = {}
    starts = {
        "moorage-db": host.start_db,
        "moorage-controller": host.start_controller,
        "moorage-netplugin": host.start_netplugin,
        "moorage-volplugin": host.start_volplugin,
    }
    for name, start in starts.items():
        found[name] = []
        for _ in range(rounds):
            host.procs[name].kill()
            began = time.perf_counter()
            start()
            found[name].append((time.perf_counter() - began) * 1000)
        print(f"  {name:34}min {min(found[name]):7.0f}   max {max(found[name]):7.0f}   goal <= 1000")
    keep("startup", found)
    wait_for("Docker", lambda: host.docker("network", "ls"))


def empty_call(host: Host, rounds: int) -> None:
    """Print what a call costs that does nothing but be decoded and answered, on a kept connection."""
    made = _Plugin(host.path("/run/docker/plugins/moorage-net.sock"))
    body = '{"NetworkID":"n","EndpointID":"e"}'
    found = interleaved(
        {
            "starting /bin/true": timed(lambda: run(["true"])),
            "EndpointOperInfo": timed(lambda: made.post("/NetworkDriver.EndpointOperInfo", body)),
        },
        rounds,
    )
    show("an empty call to the plugin, beside starting /bin/true", found, "starting /bin/true")
    keep("empty-call", found)


class _Plugin(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("plugin", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))

    def post(self, path: str, body: str) -> None:
        self.request("POST", path, body)
        self.getresponse().read()


def family(host: Host, name: str) -> list[int]:
    """Return the process of that name and those below it, by their ids on the machine."""
    # nsenter's only child is the daemon; workers are its children
    found, waiting = [], _children(host.procs[name].outside.pid)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    return [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def pss(pid: int) -> int:
    """Return a process' proportional memory in KiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
