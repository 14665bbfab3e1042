"""What running containers notice when parts of the host are restarted or killed: the table of docs/operations.md."""

import os
import signal
from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.lab import Lab, leftovers
from lab.traces import rows
from tests.system.restarting import STARTS, count, end, live_restore, restart
from tests.system.steps import container, lost, network, nothing_left
from tests.system.traffic import Traffic, traffic

pytestmark = pytest.mark.system

NOTHING = {"neighbour": 0, "outside": 0}


@pytest.fixture(scope="module")
def town(machine: None) -> Iterator[Lab]:
    """A lab of its own; nothing here comes back only because of the look at everything, which is every 30 s."""
    with Lab(f"restarts-{os.getpid()}", config={"netplugin": {"forget_after": 1.0}}) as town:
        yield town
    assert [] == leftovers(town.place)


@pytest.fixture
def host(town: Lab) -> Iterator[Host]:
    """A host with network `web` and containers `a1` (restart=always) and `b1` on it."""
    host = town.host
    network(host, "web")
    container(host, "a1", "web", "--restart", "always")
    container(host, "b1", "web", "--ip", "10.1.0.10")
    yield host
    host.repair()


@pytest.fixture
def running(town: Lab, host: Host) -> Iterator[Traffic]:
    """Traffic of `a1` to `b1` and to the outside."""
    with traffic(town, "a1", "b1", "web") as running:
        yield running


def new_ones(host: Host, town: Lab) -> None:
    """Check that a container that starts now reaches the others and the outside, and they it."""
    container(host, "c1", "web")
    assert 0 == lost(host, "c1", "b1", count=3)
    assert 0 == lost(host, "c1", town.outside.address, count=3)
    assert 0 == lost(host, "b1", "c1", count=3)
    host.docker("rm", "-f", "c1")


@pytest.mark.parametrize("daemon", ["moorage-netplugin", "moorage-controller", "moorage-db"])
def test_a_daemon_of_moorage_away_and_back_costs_no_packet_and_no_connection(
    host: Host, town: Lab, running: Traffic, daemon: str
) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        end(host, daemon, number)
        running.goes_on()
        STARTS[daemon](host)
        running.goes_on()

    new_ones(host, town)
    running.goes_on()
    assert NOTHING == running.lost()


@pytest.mark.parametrize("daemon", ["ovs-vswitchd", "ovsdb-server"])
def test_a_part_of_open_vswitch_restarted_forwards_again_by_itself_and_open_connections_go_on(
    host: Host, town: Lab, running: Traffic, daemon: str
) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        restart(host, daemon, number)
        running.goes_on()

    new_ones(host, town)
    running.goes_on()


def test_dockerd_with_live_restore_restarted_costs_no_packet_and_no_connection(
    host: Host, town: Lab, running: Traffic
) -> None:
    live_restore(host, on=True)
    endpoints = rows(host)
    for number in (signal.SIGTERM, signal.SIGKILL):
        restart(host, "dockerd", number)
        running.goes_on()

    new_ones(host, town)
    running.goes_on()
    assert NOTHING == running.lost()
    assert set(endpoints) == set(rows(host))
    host.docker("rm", "-f", "a1", "b1")
    host.docker("network", "rm", "web")
    nothing_left(host)
    live_restore(host, on=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_dockerd_without_live_restore_restarted_starts_containers_anew_with_one_endpoint_each(
    host: Host, town: Lab, number: signal.Signals
) -> None:
    host.docker("update", "--restart", "always", "b1")
    restart(host, "dockerd", number)

    wait_for("the containers", lambda: host.reaches("a1", "10.1.0.10"), 30)
    assert host.reaches("a1", town.outside.address)
    new_ones(host, town)
    wait_for("one endpoint a container", lambda: 2 == count(host, "Endpoint"), 15)
    assert 3 == count(host, "Address")  # the gateway's too


def test_a_host_whose_power_is_cut_comes_back_with_its_containers_and_without_leftovers(host: Host, town: Lab) -> None:
    container(host, "gone", "web", "-p", "8080:80")  # not started again: its port and its records must go
    before = host.docker("network", "inspect", "-f", "{{.Id}}", "web")
    host.crash()
    host.boot()
    host.start()

    wait_for("the container", lambda: host.reaches("a1", town.outside.address), 30)
    assert before == host.docker("network", "inspect", "-f", "{{.Id}}", "web")
    host.docker("start", "b1")
    assert 0 == lost(host, "a1", "10.1.0.10")
    assert 0 == lost(host, "b1", "a1")
    new_ones(host, town)
    wait_for("the endpoint of the third to go", lambda: 2 == count(host, "Endpoint"), 15)
    assert 0 == count(host, "Published")
    wait_for("its port to go", lambda: 2 == host.vsctl("list-ports", "moorage0").count("mv"), 15)
    assert 3 == count(host, "Address")
