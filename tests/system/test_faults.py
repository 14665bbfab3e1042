"""What a running container and its user notice when a part of Moorage dies, and that it comes back by itself."""

import json
import re

import pytest

from lab.command import CommandFailed, wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from lab.process import Process
from lab.traces import rows
from tests.system.steps import address, container, lost, network, nothing_left, refused

pytestmark = pytest.mark.system


@pytest.fixture
def web(host: Host) -> Host:
    """A host with network `web` and containers `a1` (10.1.0.10) and `b1` on it."""
    network(host, "web")
    container(host, "a1", "web", "--ip", "10.1.0.10")
    container(host, "b1", "web")
    return host


def test_without_a_controller_a_container_starts_late_with_a_warning_and_works_when_it_is_back(web: Host) -> None:
    web.procs["moorage-controller"].kill()
    container(web, "late", "web")

    assert "joined without confirmed flows" in web.log("moorage-netplugin").read_text()
    assert re.search(r"moorage_joins_unconfirmed_total [1-9]", metrics(web))

    web.start_controller()
    wait_for("its flows", lambda: web.reaches("late", "10.1.0.10"), 10)


def test_join_strict_refuses_a_container_whose_flows_nobody_confirms(host: Host) -> None:
    host.configure({"netplugin": {"join": "strict", "join_within": 0.5}})
    host.procs["moorage-netplugin"].kill()
    host.start_netplugin()
    network(host, "web")
    host.procs["moorage-controller"].kill()

    assert "not confirmed its flows within 0.5 s" in refused(lambda: container(host, "x1", "web"))


def test_with_the_database_away_traffic_goes_on_and_commands_say_why_they_fail(web: Host) -> None:
    web.procs["moorage-db"].kill()

    assert 0 == lost(web, "b1", "10.1.0.10")
    assert "records unavailable" in refused(lambda: container(web, "c1", "web"))

    web.docker("rm", "-f", "c1", check=False)
    web.start_db()
    wait_for("the records", lambda: not web.docker("run", "--rm", "--network", "web", IMAGE, "true"), 15)
    assert " 0% packet loss" in web.docker("run", "--rm", "--network", "web", IMAGE, "ping", "-c", "3", "a1")


def test_with_the_switch_away_a_container_fails_with_the_reason_and_starts_when_it_is_back(web: Host) -> None:
    web.procs["ovs-vswitchd"].kill()
    web.procs["ovsdb-server"].kill()

    assert "Open vSwitch" in refused(lambda: container(web, "c1", "web"))

    web.docker("rm", "-f", "c1")
    web.start_ovsdb()
    web.start_vswitchd()
    wait_for("the flows", lambda: web.reaches("b1", "10.1.0.10"), 20)
    container(web, "d1", "web")
    assert 0 == lost(web, "d1", "10.1.0.10")


def test_a_switch_that_hangs_is_told_within_half_a_minute_and_found_again_when_it_goes_on(web: Host) -> None:
    switch = web.procs["ovs-vswitchd"]
    switch.pause()
    try:
        wait_for("the controller to notice", lambda: "does ovs-vswitchd hang?" in controller(web), 30)
    finally:
        switch.resume()
    wait_for("the switch", lambda: "does ovs-vswitchd hang?" not in controller(web), 20)

    assert 0 == lost(web, "b1", "10.1.0.10")
    container(web, "c1", "web")
    assert 0 == lost(web, "c1", "10.1.0.10")


def test_netplugin_killed_and_started_changes_nothing_for_running_containers(web: Host, lab: Lab) -> None:
    gateway = _gateway(web)
    web.log("ping").unlink(missing_ok=True)
    ping = web.spawn(
        "ping", "nsenter", "-t", web.container_pid("b1"), "-n", "--", "ping", "-i", "0.02", "-c", "150",
        lab.outside.address,
    )  # fmt: skip
    web.procs["moorage-netplugin"].kill()
    web.start_netplugin()
    wait_for("the ping to end", lambda: not ping.alive(), 60)

    assert set() == unanswered(ping, 150)
    assert gateway == _gateway(web)
    container(web, "c1", "web")
    assert 0 == lost(web, "c1", address(web, "b1", "web"))


def test_what_docker_deleted_while_netplugin_was_away_is_swept(host: Host) -> None:
    host.configure({"netplugin": {"forget_after": 1.0, "resync": 1.0}})
    host.procs["moorage-netplugin"].kill()
    host.start_netplugin()
    network(host, "web")
    container(host, "a1", "web")
    host.procs["moorage-netplugin"].kill()
    host.docker("rm", "-f", "a1", timeout=120)
    host.docker("network", "rm", "web", timeout=120)
    host.start_netplugin()

    nothing_left(host, within=20)


def test_an_address_that_a_network_of_another_driver_never_gave_back_is_had_again(host: Host) -> None:
    host.configure({"netplugin": {"forget_after": 1.0}})
    host.procs["moorage-netplugin"].kill()
    host.start_netplugin()
    host.docker("network", "create", "-d", "bridge", "--ipam-driver", "moorage-net", "--subnet", "10.3.0.0/29", "other")
    container(host, "a1", "other")
    pool = next(row.removeprefix("Subnet ") for row in rows(host) if row.startswith("Subnet "))
    for _ in range(4):  # what is left of 10.3.0.1 to .6; of this dockerd knows nothing
        body = json.dumps({"PoolID": pool, "Address": "", "Options": None})
        socket = ("--unix-socket", "/run/docker/plugins/moorage-net.sock")
        host.exec("curl", "-s", *socket, "-d", body, "http://localhost/IpamDriver.RequestAddress")

    assert "no address is left" in refused(lambda: container(host, "b1", "other"))
    wait_for("addresses to be had", lambda: _starts(host, "b1", "other"), 20)
    assert "10.3.0.2" == address(host, "a1", "other")
    assert "10.3.0.2" != address(host, "b1", "other")


def unanswered(ping: Process, count: int) -> set[int]:
    """Return the numbers of the pings that were not answered, but for the last: for them ping waits two round trips."""
    answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", ping.log.read_text())}
    return set(range(1, count - 10)) - answered


def _gateway(host: Host) -> set[str]:
    """Return the gateways' addresses with the numbers of their interfaces: one that was made anew has another."""
    lines = host.ip("-o", "addr", "show", "scope", "global").splitlines()
    return {" ".join(line.split()[:4]) for line in lines if line.split()[1].startswith("mg")}


def _starts(host: Host, name: str, on: str) -> bool:
    host.docker("rm", "-f", name, check=False)
    try:
        container(host, name, on)
    except CommandFailed:
        return False
    return True


def controller(host: Host) -> str:
    """Return what the controller says of the switch."""
    return host.exec("curl", "-s", "--unix-socket", "/run/moorage/controller.sock", "http://localhost/status")


def metrics(host: Host) -> str:
    """Return the plugin's figures as Prometheus reads them."""
    return host.exec("curl", "-s", "--unix-socket", "/run/moorage/netplugin.sock", "http://localhost/metrics")
