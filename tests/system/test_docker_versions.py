"""The main jobs, and restarts of dockerd, on the Docker of each Debian release: each sends other calls for the same."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import dockers
from lab.command import wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab, leftovers
from lab.traces import volume_mounts
from tests.system.restarting import count, live_restore, restart
from tests.system.steps import CREATE, SLEEP, address, container, lost, network, nothing_left, refused
from tests.system.traffic import traffic

pytestmark = pytest.mark.system

GOLDEN = Path(__file__).parents[1] / "golden" / "calls"  # {command: the calls that it made}, by major version

DISK = "/var/lib/moorage/disk"


@pytest.fixture(scope="module", params=dockers.RELEASES)
def town(request: pytest.FixtureRequest, machine: None) -> Iterator[Lab]:
    soon = {"forget_after": 1.0}
    config = {"netplugin": soon, "volplugin": soon, "log": {"level": "debug"}}
    with Lab(f"docker-{os.getpid()}", release=request.param, config=config) as town:
        town.host.exec("mkdir", "-p", DISK)
        town.host.moorage("backend", "add", "disk", "--kind", "local", "--source", DISK)
        yield town
    assert [] == leftovers(town.place)


@pytest.fixture
def host(town: Lab) -> Iterator[Host]:
    yield town.host
    town.host.repair()


class Calls:
    """The calls that dockerd has made, read from netplugin's log."""

    def __init__(self, host: Host) -> None:
        self._log = host.log("moorage-netplugin")
        self._seen = self._log.stat().st_size

    def new(self) -> str:
        """Return the calls since the last time, without what stands before each name's dot."""
        with self._log.open() as log:
            log.seek(self._seen)
            lines = log.readlines()
            self._seen = log.tell()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return " ".join(event["call"].partition(".")[2] for event in events if event["event"] == "call")


def serves(town: Lab) -> None:
    """Wait until the outside gets the page of the container that publishes port 8080: its server takes a moment."""
    fetch = ("curl", "-sS", "-m", "2", f"http://{town.host.address}:8080/")
    wait_for("the published port", lambda: "hello" in town.outside.exec(*fetch), 10)


def test_the_main_job_from_create_to_nothing_left(host: Host, town: Lab) -> None:
    calls, made = Calls(host), {}
    network(host, "web")
    made["network create"] = calls.new()
    container(host, "a1", "web", "--ip", "10.1.0.10", "-p", "8080:80")
    made["run -p"] = calls.new()
    container(host, "b1", "web")
    made["run"] = calls.new()
    host.docker("exec", "-d", "a1", "httpd", "-f", "-p", "80", "-h", "/www")

    assert 0 == lost(host, "b1", "a1")
    assert 0 == lost(host, "b1", town.outside.address)
    assert not town.outside.pings("10.1.0.10")
    serves(town)

    network(host, "db", "10.2.0.0/24")
    container(host, "c1", "db")
    calls.new()
    host.docker("network", "connect", "db", "b1")
    made["network connect"] = calls.new()
    assert 0 == lost(host, "b1", address(host, "c1", "db"))
    assert 0 == lost(host, "b1", "a1")
    host.docker("network", "disconnect", "db", "b1")
    made["network disconnect"] = calls.new()
    assert 5 == lost(host, "b1", address(host, "c1", "db"))
    assert 0 == lost(host, "b1", "a1")
    assert 0 == lost(host, "b1", town.outside.address)

    host.docker("stop", "a1")
    made["stop"] = calls.new()
    host.docker("start", "a1")
    made["start"] = calls.new()
    assert "10.1.0.10" == address(host, "a1", "web")
    host.docker("rm", "-f", "a1", "b1", "c1")
    calls.new()
    host.docker("network", "rm", "web")
    made["network rm"] = calls.new()
    host.docker("network", "rm", "db")
    nothing_left(host)
    recorded = GOLDEN / f"docker-{host.release.version.partition('.')[0]}.json"
    if recorded.exists():  # Debian may have a newer Docker by now; it is to do its work all the same
        assert json.loads(recorded.read_text()) == made


def test_dockerd_with_live_restore_killed_and_started_costs_nothing_and_all_ends_well(host: Host, town: Lab) -> None:
    network(host, "web")
    network(host, "yard", "10.2.0.0/24")
    container(host, "a1", "web", "-p", "8080:80")
    container(host, "b1", "web", "--ip", "10.1.0.10")
    host.docker("network", "connect", "yard", "a1")
    host.docker("exec", "-d", "a1", "httpd", "-f", "-p", "80", "-h", "/www")
    live_restore(host, on=True)
    with traffic(town, "a1", "b1", "web") as running:
        restart(host, "dockerd", signal.SIGKILL)
        running.goes_on()
        assert {"neighbour": 0, "outside": 0} == running.lost()

    serves(town)
    host.docker("network", "disconnect", "web", "a1")  # the published port moves with the way out
    serves(town)
    container(host, "c1", "web")
    assert 0 == lost(host, "c1", "10.1.0.10")
    host.docker("stop", "a1", "b1")
    host.docker("start", "a1", "b1")
    assert 0 == lost(host, "b1", "c1")
    assert 0 == lost(host, "a1", town.outside.address)
    host.docker("rm", "-f", "a1", "b1", "c1")
    host.docker("network", "rm", "web", "yard")
    nothing_left(host)
    live_restore(host, on=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_dockerd_restarted_starts_containers_anew_with_one_endpoint_each(
    host: Host, town: Lab, number: signal.Signals
) -> None:
    network(host, "web")
    container(host, "a1", "web", "--restart", "always", "-p", "8080:80")
    container(host, "b1", "web", "--restart", "always", "--ip", "10.1.0.10")
    container(host, "once", "web")
    restart(host, "dockerd", number)

    wait_for("the containers", lambda: host.reaches("a1", "10.1.0.10"), 30)
    assert host.reaches("a1", town.outside.address)
    host.docker("start", "once")
    assert 0 == lost(host, "once", "10.1.0.10")
    wait_for("one endpoint a container", lambda: 3 == count(host, "Endpoint"), 15)
    host.docker("rm", "-f", "a1", "b1", "once")
    host.docker("network", "rm", "web")
    nothing_left(host)


def keeping(host: Host, name: str, *options: str) -> None:
    """Start a container that has volume `data`."""
    host.docker("run", "-d", "--name", name, "--network", "none", "-v", "data:/data", *options, IMAGE, *SLEEP)


def status(host: Host) -> dict[str, object]:
    """Return what `docker volume inspect` shows of the driver's own."""
    (told,) = json.loads(host.docker("volume", "inspect", "data"))
    assert "moorage-vol" == told["Driver"]
    found: dict[str, object] = told["Status"]
    return found


def test_a_volume_from_create_to_nothing_left(host: Host) -> None:
    host.docker("volume", "create", "-d", "moorage-vol", "-o", "mode=0770", "data")
    keeping(host, "a1")
    keeping(host, "b1")
    host.docker("exec", "a1", "sh", "-c", "echo kept > /data/file")

    assert "kept" == host.docker("exec", "b1", "cat", "/data/file").strip()
    assert "770" == host.docker("exec", "b1", "stat", "-c", "%a", "/data").strip()
    assert {"h1": 2} == status(host)["Holders"]
    assert f"disk (local {DISK})" == status(host)["Backend"]
    host.docker("cp", "a1:/data/file", "/tmp/file")
    assert "kept" == host.docker("exec", "a1", "cat", "/data/file").strip()
    host.docker("rm", "-f", "a1")
    assert "in use" in refused(lambda: host.docker("volume", "rm", "data"))
    host.docker("restart", "-t", "1", "b1")
    assert "kept" == host.docker("exec", "b1", "cat", "/data/file").strip()
    host.docker("rm", "-f", "b1")
    wait_for("nothing to be held", lambda: 0 == count(host, "Holder") and [] == volume_mounts(host), 15)
    host.docker("volume", "rm", "data")
    assert "" == host.docker("volume", "ls", "-q")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_dockerd_restarted_starts_containers_anew_with_their_volume(host: Host, number: signal.Signals) -> None:
    host.docker("volume", "create", "-d", "moorage-vol", "data")
    keeping(host, "a1", "--restart", "always")
    keeping(host, "once")
    host.docker("exec", "a1", "sh", "-c", "echo kept > /data/file")
    restart(host, "dockerd", number)

    read = ("exec", "a1", "cat", "/data/file")
    wait_for("the container", lambda: "kept" == host.docker(*read, check=False).strip(), 30)
    wait_for("the use of the other one to end", lambda: {"h1": 1} == status(host)["Holders"], 30)
    host.docker("rm", "-f", "a1", "once")
    wait_for("nothing to be held", lambda: 0 == count(host, "Holder") and [] == volume_mounts(host), 15)
    host.docker("volume", "rm", "data")


def is_newer(host: Host) -> bool:
    """Whether this Docker knows networks without IPv4 and priorities of gateways: since 28."""
    return int(host.release.version.partition(".")[0]) >= 28


def test_a_network_without_ipv4_where_docker_knows_such(host: Host) -> None:
    create = (*CREATE, "--ipv4=false", "--ipv6", "--subnet", "fd00:6::/64", "six")
    if not is_newer(host):
        assert "unknown flag: --ipv4" in refused(lambda: host.docker(*create))
        return
    host.docker(*create)
    container(host, "a1", "six", "-p", "8080:80")
    container(host, "b1", "six", "--ip6", "fd00:6::10")

    wait_for("IPv6 to be usable", lambda: pinged(host, "a1", "fd00:6::10"), 10)
    assert pinged(host, "a1", "fd00:6::1")
    assert "default via fd00:6::1" in host.in_netns("a1", "ip", "-6", "route")
    assert ["eth0", "lo"] == sorted(host.docker("exec", "a1", "ls", "/sys/class/net").split()), "no gateway of Docker's"
    host.docker("exec", "-d", "a1", "httpd", "-f", "-p", "[::]:80", "-h", "/www")
    wait_for("the port", lambda: "hello" in host.exec("curl", "-sS", "-m", "2", "http://[::1]:8080/"), 10)
    host.docker("rm", "-f", "a1", "b1")
    host.docker("network", "rm", "six")
    nothing_left(host)


def test_the_gateway_that_the_user_prefers_where_docker_knows_such(host: Host) -> None:
    network(host, "aa")
    network(host, "bb", "10.2.0.0/24")
    container(host, "a1", "aa")
    connect = ("network", "connect", "--gw-priority", "1", "bb", "a1")
    if is_newer(host):
        host.docker(*connect)
        assert "default via 10.2.0.1 " in host.in_netns("a1", "ip", "route")
        host.docker("network", "disconnect", "bb", "a1")
    else:
        assert "unknown flag: --gw-priority" in refused(lambda: host.docker(*connect))

    assert "default via 10.1.0.1 " in host.in_netns("a1", "ip", "route")
    host.docker("rm", "-f", "a1")
    host.docker("network", "rm", "aa", "bb")
    nothing_left(host)


def pinged(host: Host, name: str, address: str) -> bool:
    return " 0% packet loss" in host.in_netns(
        name, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", address, check=False
    )
