"""What Moorage leaves on a host: everything that bears our mark, so that nothing is what must be left."""

from __future__ import annotations

import json
import re

from lab.host import Host
from volplugin.mountinfo import parse

BRIDGE = "moorage0"
VOLUMES = "/var/lib/moorage/volumes"
DATABASE = "unix:/run/moorage/db.sock"
TABLES = ("Network", "Docker_Network", "Vrf", "Uplink", "Subnet", "Block", "Address", "Endpoint", "Published")
FIXED_COOKIE_OWNER = 0x4D4F  # the controller's number in the upper 16 bits of its cookies


def traces(host: Host) -> list[str]:
    """Return ports, interfaces, rules, and records of networks that are there now; flows are apart (`flows`)."""
    ports = [f"port {name}" for name in host.vsctl("list-ports", BRIDGE).split()]
    links = [f"interface {link['ifname']}" for link in json.loads(host.ip("-j", "link")) if _ours(link["ifname"])]
    rules = [
        f"rule {line}"
        for tool in ("iptables-save", "ip6tables-save")
        for line in host.exec(tool).splitlines()
        if "moorage" in line.lower()
    ]
    return [*ports, *links, *rules, *(f"record {row}" for row in rows(host))]


def volume_mounts(host: Host) -> list[str]:
    """Return where volumes are mounted now; the shares of backends, which stay a while, are not among them."""
    table = parse(host.exec("cat", "/proc/self/mountinfo"))
    return [m.target for m in table if m.target.startswith(f"{VOLUMES}/") and not m.target.endswith("/share")]


def rows(host: Host) -> list[str]:
    """Return the records that belong to networks."""
    return [f"{table} {row}" for table in TABLES for row in ids(host, table)]


def ids(host: Host, table: str) -> list[str]:
    """Return the ids of all records of a kind."""
    text = host.exec("ovsdb-client", "--format=json", "dump", DATABASE, "Moorage", table)
    return [row[0][1] for row in json.loads(text)["data"]]


def flows(host: Host) -> list[str]:
    """Return the controller's flows without their counters, sorted."""
    text = host.ofctl("dump-flows", BRIDGE, "--no-stats")
    return sorted(line.strip() for line in text.splitlines() if f"cookie=0x{FIXED_COOKIE_OWNER:x}" in line)


def drops(host: Host) -> dict[str, int]:
    """Return how many packets each drop flow has counted, by the reason it matches."""
    counted: dict[str, int] = {}
    for line in host.ofctl("dump-flows", BRIDGE, "table=60").splitlines():
        if (found := re.search(r"n_packets=(\d+).*reg9=(0x[0-9a-f]+|\d+)", line)) is not None:
            counted[found[2]] = int(found[1])
    return counted


def _ours(name: str) -> bool:
    return name.startswith(("mv-", "mp", "mg-")) and len(name) == 15
