"""A physical network with VLANs beside the lab's host, for tests."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from lab.host import Host
from lab.lab import Lab
from lab.node import Link, Node
from lab.vlans import VlanSwitch
from tests.system.steps import CREATE

NIC = "eth2"
MACHINE4, ROUTER4 = "10.20.0.9", "10.20.0.254"
MACHINE6, ROUTER6 = "fd00:20::9", "fd00:20::fe"


@dataclasses.dataclass
class Physical:
    """The physical network: a switch, the host's trunk, and machines and a router on VLAN 100, and one on VLAN 200."""

    switch: VlanSwitch
    trunk: Link
    machine: Node
    router: Node
    other: Node


@contextlib.contextmanager
def physical_network(lab: Lab) -> Iterator[Physical]:
    """Lay it, beside a lab."""
    switch = VlanSwitch("switch", lab.place)
    machine, router, other = nodes = [Node(name, lab.place) for name in ("machine", "router", "other")]
    try:
        switch.start()
        for node, vlan, four, six in (
            (machine, 100, MACHINE4, MACHINE6),
            (router, 100, ROUTER4, ROUTER6),
            (other, 200, MACHINE4, MACHINE6),
        ):
            switch.access(node, "eth0", vlan, f"{four}/24")
            node.boot()
            node.ip("addr", "add", f"{six}/64", "dev", "eth0", "nodad")
        lab.fabric.attach(router, "outside", "eth1", 254)
        router.sysctl("net.ipv4.ip_forward", 1)
        trunk = switch.trunk(lab.host, NIC)
        yield Physical(switch, trunk, machine, router, other)
        switch.detach(lab.host, trunk)
    finally:
        for node in (*nodes, switch):
            node.destroy()


def vlan(host: Host, name: str, segment: int, subnet: str, *options: str) -> None:
    """Make a VLAN network of our driver, by the trunk."""
    kind = ("-o", "moorage.kind=vlan", "-o", f"moorage.segment={segment}", "-o", f"moorage.uplink={NIC}")
    host.docker(*CREATE, *kind, "--subnet", subnet, *options, name)
