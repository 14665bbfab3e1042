"""What `moorage trace` says is what becomes of real packets: each case is traced, and then tried."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.command import CommandFailed, wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from records.model import LINK
from tests.system.steps import CREATE, SLEEP, TRACE, container, inspect, nothing_left, refused, traced

pytestmark = pytest.mark.system

SERVE = f"httpd -p 80 -h /www; {SLEEP[2]}"
TENANT = ("-o", "moorage.isolation=tenant", "-o", "moorage.tenant=team")
NETWORKS = {  # name -> subnet, options
    "web": ("10.1.0.0/24", ("--ipv6", "--subnet", "fd00:1::/64")),
    "other": ("10.2.0.0/24", ("--ipv6", "--subnet", "fd00:2::/64")),
    "inner": ("10.3.0.0/24", ("--internal",)),
    "routed": ("10.4.0.0/24", ("-o", "moorage.gateway=routed")),
    "open": ("10.7.0.0/24", ("-o", "moorage.isolation=open")),
    "team1": ("10.5.0.0/24", TENANT),
    "team2": ("10.6.0.0/24", TENANT),
}
CONTAINERS = {  # name -> network, address
    "a1": ("web", "10.1.0.10"),
    "b1": ("web", "10.1.0.11"),
    "c1": ("other", "10.2.0.10"),
    "x1": ("inner", "10.3.0.10"),
    "y1": ("inner", "10.3.0.11"),
    "r1": ("routed", "10.4.0.10"),
    "t1": ("team1", "10.5.0.10"),
    "u1": ("team2", "10.6.0.10"),
    "o1": ("open", "10.7.0.10"),
}
HOST, OUTSIDE = "10.77.0.11", "203.0.113.9"


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    """A host with networks of each kind and a container or two on each; those on web and other serve port 80."""
    host = lab.host
    for name, (subnet, options) in NETWORKS.items():
        host.docker(*CREATE, "--subnet", subnet, *options, name)
    for name, (network, address) in CONTAINERS.items():
        published = ("-p", "8080:80") if name == "b1" else ()
        words = ("--name", name, "--network", network, "--ip", address, *published)
        host.docker("run", "-d", *words, IMAGE, "sh", "-c", SERVE)
    host.docker("run", "-d", "--name", "plain", "-p", "8081:80", IMAGE, "sh", "-c", SERVE)
    wait_for("IPv6 to be usable", lambda: pings(host, "a1", "fd00:1::1"), 10)
    yield host
    host.repair()
    nothing_left(host)


def pings(host: Host, source: str, address: str) -> bool:
    """Return whether a ping from a container (or the host, or the outside) is answered."""
    ping = ("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", address)
    run: Callable[..., str] = host.exec if source == "host" else lambda *argv: host.in_netns(source, *argv)
    try:
        run(*ping)
    except CommandFailed:
        return False
    return True


def connects(host: Host, source: str, address: str, port: int) -> bool:
    """Return whether a TCP connection comes about."""
    nc = ("busybox", "nc", "-w", "1", address, port)
    run: Callable[..., str] = host.exec if source == "host" else lambda *argv: host.in_netns(source, *argv)
    try:
        run("timeout", "3", *nc)
    except CommandFailed:
        return False
    return True


def agrees(host: Host, source: str, target: str, *, port: int | None = None) -> dict[str, Any]:
    """Trace, try, and hold both against each other; return what was told."""
    told = traced(host, source, target, *(() if port is None else ("--port", port)))
    address = CONTAINERS[target][1] if target in CONTAINERS else target
    tried = pings(host, source, address) if port is None else connects(host, source, address, port)

    assert told["exit_code"] == (0 if tried else 1), (tried, told["verdict"], told["notes"])
    return told["verdict"]


@pytest.mark.parametrize(
    ("source", "target", "port", "ending", "words"),
    [
        ("a1", "b1", None, "delivered", "to container b1 on network web at 10.1.0.11"),
        ("a1", "b1", 80, "delivered", "to container b1"),
        ("a1", "10.1.0.1", None, "delivered", "to the host at 10.1.0.1"),
        ("a1", HOST, None, "delivered", f"to the host at {HOST}"),
        ("a1", OUTSIDE, None, "left", f"the outside behind eth0 as echo request {HOST} -> {OUTSIDE}"),
        ("a1", "10.1.0.99", None, "dropped", "an address of its network that nobody has"),
        ("a1", "c1", None, "dropped", "networks are closed to each other"),
        ("a1", "c1", 80, "dropped", "networks are closed to each other"),
        ("a1", "fd00:1::1", None, "delivered", "to the host at fd00:1::1"),
        ("a1", "fd00:1::99", None, "dropped", "nobody answers for fd00:1::99"),
        ("a1", "10.2.0.1", None, "dropped", "the gateways of other networks are closed to a container"),
        ("a1", "fd00:2::1", None, "dropped", "the gateways of other networks are closed to a container"),
        ("a1", "o1", None, "delivered", "to container o1"),
        ("o1", "a1", None, "dropped", "networks are closed to each other"),
        ("x1", "y1", None, "delivered", "to container y1"),
        ("x1", OUTSIDE, None, "dropped", "it has no route there"),
        ("x1", HOST, None, "dropped", "it has no route there"),
        ("t1", "u1", None, "delivered", "to container u1"),
        ("u1", "10.5.0.1", None, "delivered", "to the host"),
        ("t1", "a1", None, "dropped", "networks are closed to each other"),
        ("host", "a1", None, "delivered", "to container a1"),
        ("host", "a1", 80, "delivered", "to container a1"),
        ("host", "x1", None, "dropped", "no way into the network of container x1"),
        ("host", "fd00:1::99", None, "dropped", "nobody answers"),
        ("a1", HOST, 8080, "delivered", "to container b1 on network web at 10.1.0.11"),  # a published port
        ("b1", HOST, 8080, "delivered", "to container b1"),  # its own
        ("c1", HOST, 8080, "delivered", "to container b1"),  # from another network
        ("host", HOST, 8080, "delivered", "to container b1"),
        ("host", "127.0.0.1", 8080, "delivered", "to container b1"),
        ("a1", "b1", 81, "refused", "nothing listens on tcp port 81"),
        ("host", HOST, 81, "refused", "nothing listens on tcp port 81"),
        ("a1", HOST, 8081, "left", "behind docker0"),  # of a container of Docker's own
    ],
)  # fmt: skip
def test_the_verdict_is_what_a_real_packet_meets(
    host: Host, source: str, target: str, port: int | None, ending: str, words: str
) -> None:
    verdict = agrees(host, source, target, port=port)

    assert ending == verdict["ending"]
    assert words in verdict["words"]


@contextlib.contextmanager
def rules(host: Host, *lines: str) -> Iterator[None]:
    """Have rules of an administrator (`TABLE CHAIN ...`) before all others of their chains, for a while."""
    for line in lines:
        table, chain, *words = line.split()
        host.exec("iptables", "-t", table, "-I", chain, *words)
    yield
    for line in lines:
        table, chain, *words = line.split()
        host.exec("iptables", "-t", table, "-D", chain, *words)


@pytest.mark.parametrize(
    ("lines", "target", "port", "words"),
    [
        (["filter DOCKER-USER -s 10.1.0.10 -p icmp -j DROP"], OUTSIDE, None, "a rule in DOCKER-USER"),
        (["filter FORWARD -d 10.1.0.10 -j REJECT"], OUTSIDE, None, "its answer is dropped"),
        (["filter INPUT -i mg-+ -p icmp -m icmp --icmp-type 8 -j DROP"], "10.1.0.1", None, "--icmp-type 8"),
        (["filter OUTPUT -d 10.1.0.0/24 -p icmp -j DROP"], "10.1.0.1", None, "its answer is dropped"),
        (["raw PREROUTING -s 10.1.0.10 -j DROP"], OUTSIDE, None, "-t raw -A PREROUTING"),
        (
            ["mangle PREROUTING -s 10.1.0.10 -j MARK --set-mark 7", "filter FORWARD -m mark --mark 7 -j DROP"],
            OUTSIDE,
            None,
            "-m mark --mark 0x7 -j DROP",
        ),
        (["mangle POSTROUTING -o eth0 -m ttl --ttl-lt 1 -j DROP"], "b1", None, "delivered"),  # not on the way
        (["filter DOCKER-USER -p tcp -m multiport --dports 80,443 -j REJECT"], HOST, 8080, "--dports 80,443"),
        (["filter DOCKER-USER -p udp -j DROP", "filter DOCKER-USER -s 10.9.0.0/16 -j DROP"], HOST, 8080, "delivered"),
        (["nat PREROUTING -p tcp -d 10.77.0.11 --dport 9999 -j DNAT --to 10.1.0.11:80"], HOST, 9999, "container b1"),
        (["nat PREROUTING -p tcp --dport 9998 -j REDIRECT --to-ports 9997"], HOST, 9998, "nothing listens"),
    ],
)  # fmt: skip
def test_an_administrators_own_rules_are_obeyed_and_named(
    host: Host, lines: list[str], target: str, port: int | None, words: str
) -> None:
    with rules(host, *lines):
        verdict = agrees(host, "a1", target, port=port)

    assert words in verdict["words"]


def test_a_rule_that_cannot_be_judged_is_named_and_nothing_is_claimed(host: Host) -> None:
    with rules(host, "filter DOCKER-USER -m statistic --mode random --probability 0.5 -j DROP"):
        told = traced(host, "a1", OUTSIDE)

    assert (2, "unknown") == (told["exit_code"], told["verdict"]["ending"])
    assert "--mode random" in told["verdict"]["by"]


def test_a_host_that_does_not_forward_is_told(host: Host) -> None:
    host.sysctl("net.ipv4.ip_forward", 0)
    verdict = agrees(host, "a1", OUTSIDE)
    host.sysctl("net.ipv4.ip_forward", 1)

    assert "net.ipv4.ip_forward is 0" in verdict["words"]
    assert "left" == agrees(host, "a1", OUTSIDE)["ending"]


def test_a_container_that_changed_its_mac_is_told_as_the_switch_sees_it(host: Host) -> None:
    container(host, "m1", "web")
    host.in_netns("m1", "ip", "link", "set", "eth0", "address", "02:42:0a:01:00:99")

    assert "switch moorage0" in agrees(host, "m1", "b1")["words"]

    host.in_netns("m1", "ip", "link", "set", "eth0", "down")

    assert "no route" in agrees(host, "m1", "b1")["words"]
    host.docker("rm", "-f", "m1")


def test_a_container_that_does_not_run_is_told(host: Host) -> None:
    container(host, "gone", "web", "--ip", "10.1.0.50")
    host.docker("stop", "-t", "0", "gone")

    assert "it is not running (exited)" in traced(host, "a1", "gone")["verdict"]["words"]
    assert "it is not running (exited)" in traced(host, "gone", "a1")["verdict"]["words"]
    assert "dropped" == agrees(host, "a1", "10.1.0.50")["ending"]
    host.docker("rm", "-f", "gone")


def test_missing_flows_are_told_while_the_controller_is_away(host: Host) -> None:
    host.procs["moorage-controller"].kill()
    host.ofctl("del-flows", "moorage0", "table=12")
    missing = agrees(host, "a1", "b1")
    host.start_controller()
    wait_for("the flows", lambda: traced(host, "a1", "b1")["exit_code"] == 0)

    assert "table 12 has no flow for it: is the controller running?" in missing["words"]
    assert "table=12: no flow matches" == missing["by"]
    assert "delivered" == agrees(host, "a1", "b1")["ending"]


def test_a_port_that_is_missing_in_the_switch_is_told(host: Host) -> None:
    port = LINK + inspect(host, "a1", ".NetworkSettings.Networks.web.EndpointID")[:12]
    host.procs["moorage-netplugin"].kill()
    host.vsctl("del-port", "moorage0", port)
    missing = agrees(host, "a1", "b1")
    host.start_netplugin()
    wait_for("the port", lambda: traced(host, "a1", "b1")["exit_code"] == 0)

    assert f"its port {port} is not in the switch" in missing["words"]
    assert "delivered" == agrees(host, "a1", "b1")["ending"]


def test_what_is_away_is_told_and_the_rest_still_answered(host: Host) -> None:
    host.procs["moorage-db"].kill()
    without_records = traced(host, "a1", "b1")
    host.start_db()

    assert "delivered" == without_records["verdict"]["ending"]
    assert any("records unavailable" in note for note in without_records["notes"])

    host.procs["ovs-vswitchd"].pause()
    hung = refused(lambda: host.exec(*TRACE, "a1", "b1"))
    host.procs["ovs-vswitchd"].resume()

    assert "exit 2" in hung
    assert "Open vSwitch does not answer" in hung


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("a1", "nobody"), "'nobody' is no container of this host"),
        (("a1", "zz"), "'zz' is no container of this host"),
        (("a1", "b1", "--proto", "udp"), "udp needs a port"),
        (("a1", "b1", "--proto", "icmp", "--port", "7"), "icmp has no ports"),
        (("10.1.0.10", "fd00:1::1"), "one family"),
        (("plain", "a1"), "on no network of Moorage (it is on bridge)"),
        (("a1", "b1", "--network", "other"), "neither end is on network other; they are on web"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(host: Host, words: tuple[str, ...], error: str) -> None:
    argv = (*TRACE, *words)
    told = host.exec("sh", "-c", f"{' '.join(map(shlex.quote, argv))} 2>&1; echo exit $?")

    assert error in told
    assert told.endswith("exit 2\n")


def test_of_several_networks_the_containers_own_routes_choose(host: Host) -> None:
    container(host, "m1", "inner")
    host.docker("network", "connect", "web", "m1")

    assert "on network web" in agrees(host, "m1", "b1")["words"]
    assert "on network inner" in agrees(host, "m1", "y1")["words"]
    assert "left" == agrees(host, "m1", OUTSIDE)["ending"]
    assert "on network inner" in traced(host, "x1", "m1")["verdict"]["words"]
    assert "on network web" in traced(host, "a1", "m1")["verdict"]["words"]
    assert "dropped" == traced(host, "m1", "b1", "--network", "inner")["verdict"]["ending"]
    host.docker("rm", "-f", "m1")


def test_names_are_reached_over_ipv6_where_the_user_wants_it(host: Host) -> None:
    told = traced(host, "a1", "b1", "-6", "--port", "80")

    assert "delivered" == told["verdict"]["ending"]
    assert connects(host, "a1", inspect(host, "b1", ".NetworkSettings.Networks.web.GlobalIPv6Address"), 80)


@pytest.mark.parametrize(
    ("target", "port", "words"),
    [
        (HOST, 8080, "delivered to container b1"),
        (HOST, 8081, "behind docker0"),
        (HOST, 81, "nothing listens on tcp port 81"),
        ("10.1.0.10", 80, "nothing new may come into the network from outside"),
        ("10.4.0.10", 80, "delivered to container r1"),  # whose network is routed
    ],
)
def test_an_outsider_is_let_in_where_the_trace_says_so(
    host: Host, lab: Lab, target: str, port: int, words: str
) -> None:
    told = traced(host, OUTSIDE, target, "--port", port)
    for net in ("10.1.0.0/24", "10.4.0.0/24"):  # the outside knows the way
        lab.outside.ip("route", "replace", net, "via", "203.0.113.1")
        lab.fabric.ip("route", "replace", net, "via", HOST)
    tried = lab.outside.succeeds("timeout", "3", "busybox", "nc", "-w", "1", target, port)
    for net in ("10.1.0.0/24", "10.4.0.0/24"):
        lab.outside.ip("route", "del", net)
        lab.fabric.ip("route", "del", net)

    assert words in told["verdict"]["words"]
    assert told["exit_code"] == (0 if tried else 1), told["verdict"]
