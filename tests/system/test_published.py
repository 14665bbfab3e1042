"""Published ports (`-p`) as their users see them: who reaches them from where, who is refused, what survives what."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from lab.moorage import command
from lab.node import Node
from tests.system.steps import address, container, network, nothing_left, refused

pytestmark = pytest.mark.system

SERVE = "echo NAME > /www/index.html; httpd -p 80 -h /www; trap 'exit 0' TERM; sleep 3600 & wait"


V6 = "fd77::11"  # the host's, and on the same wire the fabric's


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    """A host with the networks web and app, dual stack, and an IPv6 address of its own."""
    host = lab.host
    host.ip("addr", "add", f"{V6}/64", "dev", "eth0", "nodad")
    lab.fabric.ip("addr", "add", "fd77::1/64", "dev", "mgmt", "nodad")
    network(host, "web", "10.1.0.0/24", "--ipv6", "--subnet", "fd00:1::/64")
    network(host, "app", "10.2.0.0/24", "--ipv6", "--subnet", "fd00:2::/64")
    yield host
    host.repair()
    nothing_left(host)
    host.ip("addr", "del", f"{V6}/64", "dev", "eth0")
    lab.fabric.ip("addr", "del", "fd77::1/64", "dev", "mgmt")


@pytest.fixture(autouse=True)
def emptied(host: Host) -> Iterator[None]:
    yield
    if containers := host.docker("ps", "-aq").split():
        host.docker("rm", "-f", *containers)


def server(host: Host, name: str, *options: str, on: str = "web") -> None:
    """Start a container that says its name to whoever asks on port 80."""
    serve = SERVE.replace("NAME", name)
    host.docker("run", "-d", "--name", name, "--network", on, *options, IMAGE, "sh", "-c", serve)
    wait_for("its server", lambda: host.in_netns(name, "curl", "-s", "http://127.0.0.1/"), 10)


def got(node: Node, place: str) -> str:
    """Return what a web server says to a node; empty where there is no answer within 2 seconds."""
    return node.exec("curl", "-gs", "-m", "2", f"http://{place}/", check=False).strip()


def fetched(host: Host, container: str, place: str) -> str:
    """Return what a web server says to a container."""
    return host.in_netns(container, "curl", "-gs", "-m", "2", f"http://{place}/", check=False).strip()


def rules(host: Host) -> list[str]:
    """Return our rules, in order."""
    saved = [host.exec(tool).splitlines() for tool in ("iptables-save", "ip6tables-save")]
    return [line for lines in saved for line in lines if line.startswith("-A") and "moorage:" in line]


def free(host: Host, port: int) -> bool:
    """Return whether a server of the host could have a port."""
    return host.succeeds("python3", "-c", f"import socket; socket.create_server(('', {port}))")


def echo(host: Host, container: str, *, say: str = "HELLO") -> None:
    """Have a container answer every datagram that comes to port 53."""
    code = f"""
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', 53))
while True:
    data, address = s.recvfrom(2000)
    s.sendto(b'{say}', address)
"""
    if (old := host.procs.get("echo")) is not None:
        old.kill()
    host.spawn("echo", "nsenter", "-t", host.container_pid(container), "-n", "python3", "-c", code)


def echoed(node: Node, ip: str, port: int, *enter: object) -> str:
    """Return what comes back of a datagram, or nothing."""
    code = f"""
import socket
s = socket.socket(socket.AF_INET6 if ':' in '{ip}' else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.sendto(b'hello', ('{ip}', {port}))
print(s.recv(100).decode())
"""
    return node.exec(*enter, "python3", "-c", code, check=False).strip()


def test_a_port_is_reached_from_another_machine_from_the_host_and_from_containers(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "8080:80")
    container(host, "a2", "web")
    container(host, "b1", "app")
    own = [f"{host.address}:8080", f"[{V6}]:8080"]
    local = ["127.0.0.1:8080", "[::1]:8080", "10.1.0.1:8080", "10.2.0.1:8080", "[fd00:1::1]:8080"]

    assert ["a1", "a1"] == [got(lab.outside, own[0]), got(lab.fabric, own[1])]
    assert ["a1"] * 7 == [got(host, place) for place in own + local]
    for client in ("a1", "a2", "b1"):
        assert ["a1"] * 2 == [fetched(host, client, place) for place in own], client


def test_datagrams_come_and_go_the_same_ways(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "5353:53/udp")
    container(host, "a2", "web")
    echo(host, "a1")
    wait_for("the echo", lambda: echoed(host, "10.1.0.1", 5353), 10)
    enter = ("nsenter", "-t", host.container_pid("a2"), "-n")

    assert "HELLO" == echoed(lab.outside, host.address, 5353)
    assert "HELLO" == echoed(lab.fabric, V6, 5353)
    assert ["HELLO"] * 4 == [echoed(host, ip, 5353) for ip in (host.address, V6, "127.0.0.1", "::1")]
    assert ["HELLO"] * 2 == [echoed(host, ip, 5353, *enter) for ip in (host.address, V6)]


def test_a_client_that_never_stops_sending_reaches_whoever_has_the_port_now(host: Host, lab: Lab) -> None:
    code = f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('{host.address}', 5353))
s.settimeout(0.1)
while True:
    try:
        s.send(b'x')
        print(s.recv(100).decode(), flush=True)
    except OSError:
        pass
    time.sleep(0.1)
"""
    client = lab.outside.spawn("client", "python3", "-c", code)
    wait_for("it to be tracked", lambda: "dport=5353" in host.exec("conntrack", "-L", "-p", "udp"))
    for name in ("a1", "a2"):
        server(host, name, "-p", "5353:53/udp")
        echo(host, name, say=name)

        wait_for(f"{name} to answer", lambda name=name: name in client.tail(), 10)  # type: ignore[misc]
        host.docker("rm", "-f", name)
    client.kill()


def test_a_port_of_one_address_of_the_host_is_served_there_only(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", f"{host.address}:8080:80", "-p", "127.0.0.1:8081:80", "-p", "[::1]:8082:80")

    assert "a1" == got(lab.outside, f"{host.address}:8080")
    assert ["a1", "a1", "a1"] == [got(host, p) for p in (f"{host.address}:8080", "127.0.0.1:8081", "[::1]:8082")]
    assert ["", "", ""] == [got(host, p) for p in ("127.0.0.1:8080", f"{host.address}:8081", f"[{V6}]:8082")]


def test_a_port_of_loopback_is_closed_to_neighbours_and_containers_that_try_it(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "127.0.0.1:8081:80")
    container(host, "a2", "web")
    lab.fabric.ip("route", "add", "127.0.0.1", "via", host.address, "dev", "mgmt", "table", "77")
    lab.fabric.ip("rule", "add", "to", "127.0.0.1", "lookup", "77", "pref", "0")
    lab.fabric.sysctl("net.ipv4.conf.mgmt.route_localnet", 1)
    host.in_netns("a2", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet", check=False)
    host.in_netns("a2", "ip", "route", "add", "127.0.0.1", "via", "10.1.0.1", "table", "77")
    host.in_netns("a2", "ip", "rule", "add", "to", "127.0.0.1", "lookup", "77", "pref", "0")
    try:
        assert "" == got(lab.fabric, "127.0.0.1:8081")
        assert "" == fetched(host, "a2", "127.0.0.1:8081")
    finally:
        lab.fabric.ip("rule", "del", "pref", "0", "to", "127.0.0.1")
        lab.fabric.ip("route", "flush", "table", "77")


def test_ranges_and_ports_of_our_choice_are_free_ones(host: Host, lab: Lab) -> None:
    host.spawn("squatter", "busybox", "nc", "-l", "-p", "9000")
    wait_for("the squatter", lambda: ":9000 " in host.exec("ss", "-ltn"))
    server(host, "a1", "-p", "9000-9005:80")
    server(host, "a2", "-p", "80")
    server(host, "a3", "-p", "9010-9012:80-82")

    assert "a1" == got(lab.outside, f"{host.address}:9001")
    assert "a3" == got(lab.outside, f"{host.address}:9010")
    host.procs["squatter"].kill()


def test_a_thousand_ports_of_one_container_come_and_go(host: Host, lab: Lab) -> None:
    before = rules(host)
    server(host, "a1", "-p", "20000-20999:80-1079")

    assert "a1" == got(lab.outside, f"{host.address}:20000")
    assert not free(host, 20999)
    assert 2000 == len(moorage(host, "port", "a1").splitlines())

    host.docker("rm", "-f", "a1")
    wait_for("the rules to go", lambda: before == rules(host), 10)
    wait_for("the ports to be free", lambda: free(host, 20999), 10)


def test_a_port_that_is_taken_is_refused_at_the_start_with_the_reason(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "8080:80")
    host.spawn("foreign", "busybox", "nc", "-l", "-p", "7070")
    wait_for("the other server", lambda: ":7070 " in host.exec("ss", "-ltn"))
    host.docker("run", "-d", "--name", "d1", "-p", "7171:80", IMAGE)
    ours = refused(lambda: container(host, "x1", "web", "-p", "127.0.0.1:8080:80"))
    others = refused(lambda: container(host, "x2", "web", "-p", "7070:80"))
    dockers = refused(lambda: container(host, "x3", "web", "-p", "7171:80"))
    nobodys = refused(lambda: container(host, "x4", "web", "-p", "192.0.2.1:80:80"))

    assert "host port 8080/tcp of 127.0.0.1 is in use by the container with address 10.1.0." in ours
    assert "port 7070/tcp of 0.0.0.0 is in use by another program of the host (ss -lntp shows which)" in others
    assert "port 7171/tcp of 0.0.0.0 is in use by another program of the host" in dockers
    assert "192.0.2.1 is not an address of this host" in nobodys
    assert "a1" == got(lab.outside, f"{host.address}:8080")
    assert not free(host, 8080)
    assert "address already in use" in refused(lambda: host.docker("run", "-d", "-p", "8080:80", IMAGE))
    host.procs["foreign"].kill()
    host.docker("start", "x2")


def test_a_port_moves_with_its_container_over_restarts_of_the_container_and_the_plugin(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "8080:80")
    place = f"{host.address}:8080"
    for act in (
        lambda: host.docker("restart", "-t", "1", "a1"),
        lambda: (host.procs["moorage-netplugin"].kill(), got(lab.outside, place), host.start_netplugin()),
        lambda: host.docker("restart", "-t", "1", "a1"),
    ):
        act()
        wait_for("an answer", lambda: got(lab.outside, place) == "a1", 10)
        wait_for(
            "the reservation", lambda: not host.succeeds("timeout", "0.2", "busybox", "nc", "-l", "-p", "8080"), 10
        )


def test_while_the_plugin_is_dead_ports_go_on(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "8080:80")
    host.procs["moorage-netplugin"].kill()
    answer = got(lab.outside, f"{host.address}:8080")
    host.start_netplugin()

    assert "a1" == answer


def test_rules_that_somebody_flushes_come_back(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "8080:80")
    before = rules(host)
    host.configure({"netplugin": {"resync": 1.0}})
    host.procs["moorage-netplugin"].kill()
    host.start_netplugin()
    for tool in ("iptables", "ip6tables"):
        for table in ("nat", "filter", "raw"):
            host.exec(tool, "-t", table, "-F")

    wait_for("the rules", lambda: rules(host) == before, 10)
    assert "a1" == got(lab.outside, f"{host.address}:8080")
    host.configure({})
    for name in ("moorage-netplugin", "dockerd"):  # Docker makes its rules at its start only
        host.procs[name].kill()
    host.start_netplugin()
    host.start_docker()


def test_ports_pass_to_the_other_network_of_a_container(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "8080:80")
    host.docker("network", "connect", "app", "a1")
    host.docker("network", "disconnect", "web", "a1")

    wait_for("an answer", lambda: got(lab.outside, f"{host.address}:8080") == "a1", 10)


def test_nothing_of_a_port_is_left_when_its_container_goes(host: Host, lab: Lab) -> None:
    before = rules(host)
    server(host, "a1", "-p", "8080:80", "-p", "5353:53/udp")
    host.docker("rm", "-f", "a1")

    wait_for("the rules to go", lambda: before == rules(host), 10)
    assert "" == got(lab.outside, f"{host.address}:8080")
    assert free(host, 8080)


def test_where_docker_publishes_its_gateway_bridge_does_and_shows_it(host: Host, lab: Lab) -> None:
    network(host, "shown", "10.3.0.0/24", "-o", "moorage.publish=docker")
    container(host, "c1", "shown")
    server(host, "a1", "-p", "8080:80", on="shown")

    assert "80/tcp -> 0.0.0.0:8080" in host.docker("port", "a1")
    assert "a1" == got(lab.outside, f"{host.address}:8080")
    assert "a1" == fetched(host, "c1", f"{address(host, 'a1', 'shown')}")
    assert host.reaches("a1", lab.outside.address)
    host.docker("rm", "-f", "a1", "c1")
    host.docker("network", "rm", "shown")
    host.docker("network", "rm", "docker_gwbridge")


def test_moorage_port_shows_what_docker_port_cannot(host: Host, lab: Lab) -> None:
    server(host, "a1", "-p", "127.0.0.1:8080:80", "-p", "80")
    told = moorage(host, "port", "a1").splitlines()
    chosen = next(line.rpartition(":")[2] for line in told if "0.0.0.0" in line)

    assert ["80/tcp -> 0.0.0.0:" + chosen, "80/tcp -> 127.0.0.1:8080", "80/tcp -> [::]:" + chosen] == told
    assert "a1" == got(lab.outside, f"{host.address}:{chosen}")
    assert [f"a1 {line}" for line in told] == moorage(host, "port").splitlines()
    assert "127.0.0.1:8080" in moorage(host, "port", "a1", "80/tcp").splitlines()
    assert ["a1"] * 3 == [one["container"] for one in json.loads(moorage(host, "port", "--json"))]
    assert "exit 1: Error: port 81/tcp of a1 is not published" in refused(lambda: moorage(host, "port", "a1", "81"))
    assert "exit 1: Error: no such container: b9" in refused(lambda: moorage(host, "port", "b9"))


def moorage(host: Host, *words: str) -> str:
    """Run our command on the host."""
    return host.exec(*command("moorage", "cli.main"), *words)
