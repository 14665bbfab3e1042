"""Published ports (`-p`) as their users see them: who reaches them from where, who is refused, what survives what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from lab.node import Node
from tests.system.steps import network, nothing_left

pytestmark = pytest.mark.system

SERVE = "echo NAME > /www/index.html; httpd -p 80 -h /www; trap 'exit 0' TERM; sleep 3600 & wait"


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    """A host with the networks web (10.1.0.0/24) and app (10.2.0.0/24)."""
    host = lab.host
    network(host, "web", "10.1.0.0/24", "--ipv6", "--subnet", "fd00:1::/64")
    network(host, "app", "10.2.0.0/24", "--ipv6", "--subnet", "fd00:2::/64")
    yield host
    host.repair()
    nothing_left(host)


@pytest.fixture(autouse=True)
def emptied(host: Host) -> Iterator[None]:
    yield
    if containers := host.docker("ps", "-aq").split():
        host.docker("rm", "-f", *containers)


def server(host: Host, name: str, *options: str, on: str = "web") -> None:
    """Start a container that says its name to whoever asks on port 80."""
    serve = SERVE.replace("NAME", name)
    host.docker("run", "-d", "--name", name, "--network", on, *options, IMAGE, "sh", "-c", serve)


def got(node: Node, place: str) -> str:
    """Return what a web server says to a node; empty where there is no answer within 2 seconds."""
    return node.exec("curl", "-gs", "-m", "2", f"http://{place}/", check=False).strip()


def test_a_port_is_reached_from_another_machine(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "8080:80")

    wait_for("an answer", lambda: got(lab.outside, f"{host.address}:8080") == "a1")
