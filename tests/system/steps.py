"""Words that the system tests share: networks and containers of the driver, pings counted, things gone."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lab.command import CommandFailed, LabError, wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.traces import flows, traces

TRACE = (sys.executable, "-c", "from cli.main import main; main()", "trace")
CREATE = ("network", "create", "-d", "moorage-net", "--ipam-driver", "moorage-net")
SLEEP = ("sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait")


def network(host: Host, name: str, subnet: str = "10.1.0.0/24", *options: str) -> None:
    """Make a network of our driver."""
    host.docker(*CREATE, "--subnet", subnet, *options, name)


def container(host: Host, name: str, on: str, *options: str) -> None:
    """Start a container that does nothing until it is told to end."""
    host.docker("run", "-d", "--name", name, "--network", on, *options, IMAGE, *SLEEP)


def refused(act: Callable[[], object]) -> str:
    """Return what the user is told when a command fails."""
    with pytest.raises(CommandFailed) as failed:
        act()
    return str(failed.value)


def lost(host: Host, container: str, address: str, *, count: int = 5) -> int:
    """Return how many of `count` pings from a container are not answered."""
    out = host.docker("exec", container, "ping", "-c", count, "-i", "0.1", "-W", "2", address, check=False)
    found = re.search(r"(\d+) packets transmitted, (\d+) packets received", out)
    assert found is not None, out
    return int(found[1]) - int(found[2])


def traced(host: Host, *words: object) -> dict[str, Any]:
    """Return what `moorage trace --json` tells."""
    told: dict[str, Any] = json.loads(host.exec(*TRACE, "--json", *words, check=False))
    return told


def inspect(host: Host, name: str, what: str) -> str:
    """Return a value of `docker inspect`."""
    return host.docker("inspect", "-f", f"{{{{{what}}}}}", name).strip()


def address(host: Host, name: str, on: str) -> str:
    """Return a container's IPv4 address on a network."""
    return inspect(host, name, f".NetworkSettings.Networks.{on}.IPAddress")


def nothing_left(host: Host, within: float = 10) -> None:
    """Wait until no port, interface, rule, record or flow of any network of ours is there."""
    left: list[str] = []

    def gone() -> bool:
        left[:] = [*traces(host), *(flow for flow in flows(host) if "in_port=" in flow)]
        return not left

    try:
        wait_for("everything of the networks to go", gone, within)
    except LabError:
        pytest.fail(f"left: {left}")
