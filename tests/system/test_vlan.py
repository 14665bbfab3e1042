"""VLAN networks: containers beside the machines of the physical network, over a trunk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.lab import Lab
from lab.node import Node
from lab.traces import flows
from tests.system.physical import MACHINE4, MACHINE6, NIC, ROUTER4, ROUTER6, Physical, physical_network, vlan
from tests.system.steps import CREATE, address, container, lost, network, nothing_left, refused, traced
from tests.system.test_faults import unanswered

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def physical(lab: Lab) -> Iterator[Physical]:
    with physical_network(lab) as made:
        yield made


@pytest.fixture
def phys(host: Host, physical: Physical) -> Host:
    """A host with the VLAN network `phys` and a container `a1` (10.20.0.10) on it."""
    both = ("--gateway", ROUTER4, "--ipv6", "--subnet", "fd00:20::/64", "--gateway", ROUTER6)
    vlan(host, "phys", 100, "10.20.0.0/24", *both)
    container(host, "a1", "phys", "--ip", "10.20.0.10", "--ip6", "fd00:20::10")
    return host


def test_containers_and_machines_of_the_vlan_reach_each_other_in_both_families(phys: Host, physical: Physical) -> None:
    container(phys, "b1", "phys")

    assert 0 == lost(phys, "a1", MACHINE4)
    assert 0 == lost(phys, "a1", MACHINE6)
    assert 0 == lost(phys, "b1", "10.20.0.10")
    assert 0 == lost(phys, "b1", "fd00:20::10")
    assert physical.machine.pings("10.20.0.10", count=3)
    assert physical.machine.pings("fd00:20::10", count=3)


def test_the_router_of_the_vlan_is_the_way_out_and_sees_the_containers_own_address(phys: Host, lab: Lab) -> None:
    assert f"default via {ROUTER4}" in phys.docker("exec", "a1", "ip", "route")
    lab.outside.ip("route", "replace", "10.20.0.0/24", "via", "203.0.113.254")

    assert 0 == lost(phys, "a1", lab.outside.address)
    assert 0 == lost(phys, "a1", ROUTER6)
    assert lab.outside.pings("10.20.0.10", count=3)

    lab.outside.ip("route", "del", "10.20.0.0/24")


def test_frames_on_the_uplink_carry_the_tag_and_the_containers_mac(phys: Host) -> None:
    seen = phys.spawn("tcpdump", "tcpdump", "-i", NIC, "-e", "-n", "-l", "-c", "2", "icmp or (vlan and icmp)")
    wait_for("tcpdump", lambda: "listening on" in phys.log("tcpdump").read_text(), 10)
    assert 0 == lost(phys, "a1", MACHINE4, count=1)
    wait_for("tcpdump to see them", lambda: not seen.alive(), 10)

    lines = [line for line in phys.log("tcpdump").read_text().splitlines() if "ICMP echo" in line]
    assert 2 == len(lines)
    assert all("vlan 100" in line and "02:42:0a:14:00:0a" in line for line in lines)


@pytest.mark.parametrize("reverse", [False, True])
def test_tcp_passes_in_full_size_segments(phys: Host, physical: Physical, reverse: bool) -> None:
    """What offloading does to checksums and segments shows here: a ping passes where TCP is dead."""
    physical.machine.spawn("iperf3", "iperf3", "-s", "-1", "--forceflush")
    wait_for("the server", lambda: "listening" in physical.machine.path("/log/iperf3").read_text(), 10)

    way = ["-R"] if reverse else []
    out = json.loads(phys.in_netns("a1", "iperf3", "-J", "-c", MACHINE4, "-n", "8M", *way))

    assert out["end"]["sum_sent"]["bytes"] >= 8_000_000
    assert out["end"]["sum_received"]["bytes"] >= 4_000_000  # what is still on its way at the end is not counted
    assert out["start"]["tcp_mss_default"] == 1448
    wait_for("the server to end", lambda: not physical.machine.procs["iperf3"].alive(), 10)


def test_another_vlan_is_another_world(phys: Host, physical: Physical) -> None:
    vlan(phys, "other", 200, "10.21.0.0/24")
    container(phys, "o1", "other", "--ip", "10.21.0.10")
    physical.other.ip("addr", "replace", "10.21.0.9/24", "dev", "eth0")

    assert 0 == lost(phys, "o1", "10.21.0.9")
    assert 0 == lost(phys, "a1", MACHINE4)
    assert mac(physical.machine) in phys.docker("exec", "a1", "arp", "-n", MACHINE4)  # there is one on VLAN 200 too
    assert not physical.other.pings("10.20.0.10")
    assert not phys.reaches("o1", "10.20.0.10")
    assert not phys.reaches("a1", "10.21.0.10")


def test_a_network_of_a_bridge_reaches_no_vlan(phys: Host) -> None:
    network(phys, "web")
    container(phys, "w1", "web")

    assert not phys.reaches("w1", "10.20.0.10")
    assert not phys.reaches("a1", address(phys, "w1", "web"))


def test_a_container_that_speaks_for_others_is_not_heard_on_the_vlan(phys: Host, physical: Physical) -> None:
    phys.in_netns("a1", "ip", "addr", "add", "10.20.0.77/24", "dev", "eth0")
    ping = ("ping", "-c", "2", "-i", "0.2", "-W", "1", "-I", "10.20.0.77", MACHINE4)

    assert "100% packet loss" in phys.in_netns("a1", *ping, check=False)
    assert not physical.machine.pings("10.20.0.77")


def test_the_mtu_is_the_uplinks_and_never_more(host: Host, physical: Physical) -> None:
    host.ip("link", "set", NIC, "mtu", 1400)
    try:
        vlan(host, "phys", 100, "10.20.0.0/24")
        container(host, "a1", "phys")
        more = refused(lambda: vlan(host, "more", 101, "10.22.0.0/24", "-o", "moorage.mtu=1500"))
        vlan(host, "less", 102, "10.23.0.0/24", "-o", "moorage.mtu=1300")
    finally:
        host.ip("link", "set", NIC, "mtu", 1500)

    assert "1400" == host.docker("exec", "a1", "cat", "/sys/class/net/eth0/mtu").strip()
    assert f"moorage.mtu=1500 is more than {NIC} carries, 1400 bytes" in more


def test_a_pulled_plug_costs_what_it_is_out(phys: Host, physical: Physical) -> None:
    physical.switch.carrier(phys, physical.trunk, on=False)
    assert not phys.reaches("a1", MACHINE4)
    container(phys, "b1", "phys")
    assert 0 == lost(phys, "b1", "10.20.0.10")

    physical.switch.carrier(phys, physical.trunk, on=True)

    wait_for("the path", lambda: phys.reaches("a1", MACHINE4), 10)


def test_an_interface_that_goes_and_comes_back_is_the_uplink_again(phys: Host, physical: Physical) -> None:
    physical.switch.pull_out(phys, physical.trunk)
    wait_for("Open vSwitch to notice", lambda: not phys.reaches("a1", MACHINE4), 10)
    physical.switch.plug_in(phys, physical.trunk, up=False)

    wait_for("the path", lambda: phys.reaches("a1", MACHINE4), 20)


def test_the_switchs_daemon_restarted_brings_the_vlan_back(phys: Host) -> None:
    phys.procs["ovs-vswitchd"].kill()
    phys.start_vswitchd()

    wait_for("the path", lambda: phys.reaches("a1", MACHINE4), 20)


def test_netplugin_and_controller_restarted_cost_no_packet(phys: Host, physical: Physical) -> None:
    have = flows(phys)
    ping = physical.machine.spawn("ping", "ping", "-n", "-i", "0.02", "-c", "150", "10.20.0.10")
    for name, start in (("moorage-netplugin", phys.start_netplugin), ("moorage-controller", phys.start_controller)):
        phys.procs[name].kill()
        start()
    wait_for("the ping to end", lambda: not ping.alive(), 60)

    assert set() == unanswered(ping, 150)
    wait_for("the same flows", lambda: flows(phys) == have, 5)


def test_a_host_whose_power_is_cut_is_on_its_vlan_again(phys: Host, physical: Physical) -> None:
    phys.docker("update", "--restart", "always", "a1")
    phys.crash()
    phys.boot()
    phys.start()

    wait_for("the path", lambda: phys.reaches("a1", MACHINE4), 30)
    assert physical.machine.pings("10.20.0.10", count=3)


def test_an_address_given_to_another_mac_is_followed_at_once(phys: Host, physical: Physical) -> None:
    """Machines remember the old MAC address for minutes, and so does the physical switch."""
    assert physical.machine.pings("10.20.0.10")
    assert physical.machine.pings("fd00:20::10")
    assert "02:42:0a:14:00:0a" in physical.machine.ip("neigh", "show", "10.20.0.10")
    phys.docker("rm", "-f", "a1")
    own = ("--ip", "10.20.0.10", "--ip6", "fd00:20::10", "--mac-address", "02:00:00:00:00:77")
    container(phys, "b1", "phys", *own)

    for target in ("10.20.0.10", "fd00:20::10"):
        assert "02:00:00:00:00:77" in physical.machine.ip("neigh", "show", target)
        out = physical.machine.exec("ping", "-n", "-i", "0.1", "-c", "10", "-W", "1", target, check=False)
        assert re.search(r"10 packets transmitted, (9|10) received", out), out


def test_who_was_away_when_it_was_announced_still_reaches_a_new_mac(phys: Host, physical: Physical) -> None:
    """A false neighbour entry that nothing corrects: the switch puts the right MAC address in."""
    for target in ("10.20.0.10", "fd00:20::10"):
        physical.machine.ip(
            "neigh", "replace", target, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "permanent"
        )

        assert physical.machine.pings(target, count=5)

        physical.machine.ip("neigh", "del", target, "dev", "eth0")


def test_removing_the_last_network_leaves_the_interface_as_it_was(phys: Host) -> None:
    vlan(phys, "other", 200, "10.21.0.0/24")
    phys.docker("rm", "-f", "a1")
    phys.docker("network", "rm", "phys")
    assert NIC in phys.vsctl("list-ports", "moorage0").split()

    phys.docker("network", "rm", "other")

    nothing_left(phys)
    wait_for("Open vSwitch to let go of it", lambda: 0 == shown(phys)["promiscuity"], 10)
    nic = shown(phys)
    assert "UP" in nic["flags"]
    assert (1500, []) == (nic["mtu"], [a for a in nic["addr_info"] if a["scope"] == "global"])


def test_what_cannot_be_is_refused_with_the_reason_and_leaves_nothing(phys: Host) -> None:
    def create(segment: int, uplink: str, *options: str) -> str:
        kind = ("-o", "moorage.kind=vlan", "-o", f"moorage.segment={segment}", "-o", f"moorage.uplink={uplink}")
        return refused(lambda: phys.docker(*CREATE, *kind, "--subnet", "10.22.0.0/24", *options, "bad"))

    phys.vsctl("add-br", "br-theirs", "--", "set", "bridge", "br-theirs", "datapath_type=netdev")
    phys.vsctl("add-port", "br-theirs", "theirs0", "--", "set", "interface", "theirs0", "type=internal")
    endpoint = next(p for p in phys.vsctl("list-ports", "moorage0").split() if p.startswith("mv"))
    try:
        assert "this host has no such interface" in create(101, "eth7")
        assert "it has the address 10.77.1.11/24" in create(101, "eth1")
        assert "it is a port of bridge br-theirs" in create(101, "theirs0")
        assert "it is a port of bridge moorage0" in create(101, endpoint)
        assert "loopback" in create(101, "lo")
        assert "is the VLAN of network" in create(100, NIC)
        assert "where this host cannot masquerade" in create(101, NIC, "-o", "moorage.gateway=nat")
        assert "reached directly" in refused(lambda: container(phys, "p1", "phys", "-p", "8080:80"))
    finally:
        phys.vsctl("del-br", "br-theirs")

    phys.docker("rm", "-f", "a1", "p1")
    phys.docker("network", "rm", "phys")
    nothing_left(phys)


def shown(host: Host) -> dict[str, Any]:
    """Return what the kernel says of the uplink's interface."""
    (nic,) = json.loads(host.ip("-d", "-j", "addr", "show", NIC))
    assert isinstance(nic, dict)
    return nic


def mac(node: Node) -> str:
    return node.exec("cat", "/sys/class/net/eth0/address").strip()


def test_a_trace_follows_packets_of_the_vlan_by_the_uplink(phys: Host, physical: Physical) -> None:
    container(phys, "b1", "phys", "--ip", "10.20.0.11")
    out, back, near = (
        traced(phys, source, target) for source, target in (("a1", MACHINE4), (MACHINE4, "a1"), ("a1", "b1"))
    )

    assert f"leaves the host for VLAN 100 behind {NIC}" in out["verdict"]["words"]
    assert "delivered to container a1 on network phys" in back["verdict"]["words"]
    assert "delivered to container b1 on network phys" in near["verdict"]["words"]
    assert 0 == lost(phys, "a1", MACHINE4)
    assert physical.machine.pings("10.20.0.10")
    assert 0 == lost(phys, "a1", "10.20.0.11")
