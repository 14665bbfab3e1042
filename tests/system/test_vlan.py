"""VLAN networks: containers beside the machines of the physical network, over a trunk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from lab.host import Host
from lab.lab import Lab
from lab.node import Link, Node
from lab.vlans import VlanSwitch
from tests.system.steps import CREATE, container, lost

pytestmark = pytest.mark.system

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


@pytest.fixture(scope="module")
def physical(lab: Lab) -> Iterator[Physical]:
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


@pytest.fixture
def phys(host: Host, physical: Physical) -> Host:
    """A host with the VLAN network `phys` and a container `a1` (10.20.0.10) on it."""
    vlan(
        host,
        "phys",
        100,
        "10.20.0.0/24",
        "--gateway",
        ROUTER4,
        "--ipv6",
        "--subnet",
        "fd00:20::/64",
        "--gateway",
        ROUTER6,
    )
    container(host, "a1", "phys", "--ip", "10.20.0.10", "--ip6", "fd00:20::10")
    return host


def vlan(host: Host, name: str, segment: int, subnet: str, *options: str) -> None:
    kind = ("-o", "moorage.kind=vlan", "-o", f"moorage.segment={segment}", "-o", f"moorage.uplink={NIC}")
    host.docker(*CREATE, *kind, "--subnet", subnet, *options, name)


def test_a_container_and_a_machine_of_the_vlan_reach_each_other(phys: Host, physical: Physical) -> None:
    assert 0 == lost(phys, "a1", MACHINE4)
    assert physical.machine.pings("10.20.0.10", count=3)
    assert physical.machine.pings("fd00:20::10", count=3)
    assert 0 == lost(phys, "a1", MACHINE6)
