import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab.lab
from lab.command import CommandFailed, LabError, run, wait_for
from lab.image import IMAGE
from lab.lab import Lab, leftovers, sweep
from lab.node import Node
from lab.place import Place

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("machine")]

NAME = f"lab-{os.getpid()}"
CHECKOUT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from lab.lab import Lab
with Lab(sys.argv[1], moorage=False) as lab:
    lab.host.docker("run", "-d", "--name", "web", "lab:latest")
    {more}
    print("up", flush=True)
    time.sleep(1000)
"""


@pytest.fixture(scope="module")
def pair(machine: None) -> Iterator[Lab]:
    with Lab(f"pair-{os.getpid()}", hosts=2, moorage=False) as pair:
        yield pair
    assert [] == leftovers(pair.place)


@pytest.fixture
def wires(pair: Lab) -> Iterator[Lab]:
    yield pair
    pair.fabric.heal()


def hold(name: str, *, more: str = "") -> subprocess.Popen[str]:
    """Start a process that holds a lab with a container, and wait until it is up."""
    code = HOLDER.format(more=more)
    holder = subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    return holder


def alive(place: Place) -> list[str]:
    """What runs or is mounted of a lab: all leftovers but directories and cgroups without processes."""
    return [what for what in leftovers(place) if what.startswith(("process", "mount"))]


def machines_network() -> list[str]:
    return [run(["ip", "-o", "addr"]), run(["ip", "route"]), run(["iptables-save"]), run(["ip", "netns"])]


def test_hosts_are_apart_and_connected(pair: Lab) -> None:
    h1, h2 = pair.hosts

    assert (h1.docker("info", "-f", "{{.Name}}"), h2.docker("info", "-f", "{{.Name}}")) == ("h1\n", "h2\n")
    assert h1.vsctl("get", "Open_vSwitch", ".", "external_ids:system-id").strip() in {"h1", '"h1"'}
    assert h1.ip("-4", "-o", "addr", "show", "eth0").split()[3] == "10.77.0.11/24"
    assert h1.pings(h2.address)


def test_a_machine_that_is_added_and_the_others_know_each_other_by_name(pair: Lab) -> None:
    server = pair.add(Node, "server")

    assert server.address == "10.77.0.101"
    assert pair.hosts[1].pings("server")
    assert server.pings("h2")
    server.crash()
    assert not pair.host.pings("server")
    server.boot()
    assert pair.host.pings("server")


def test_the_outside_answers_containers_through_nat_only(pair: Lab) -> None:
    h1, outside = pair.host, pair.outside
    h1.docker("run", "-d", "--name", "c1", IMAGE)
    address = h1.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "c1").strip()
    h1.exec("iptables", "-P", "FORWARD", "ACCEPT")

    assert h1.reaches("c1", outside.address)
    assert not outside.pings(address)
    h1.exec("iptables", "-t", "nat", "-F", "POSTROUTING")
    assert not h1.reaches("c1", outside.address)


@pytest.mark.parametrize("network", [(), ("--internal",)])
def test_an_unknown_name_is_answered_at_once_in_a_container(pair: Lab, network: tuple[str, ...]) -> None:
    h2 = pair.hosts[1]
    h2.docker("network", "create", *network, "names")

    with pytest.raises(CommandFailed, match="bad address"):
        h2.docker("run", "--rm", "--network", "names", IMAGE, "ping", "-c", "1", "no-such-name.example", timeout=4)
    h2.docker("network", "rm", "names")


@pytest.mark.parametrize("fault", ["cut", "partition", "isolate", "loss"])
def test_wires_fail_and_heal(wires: Lab, fault: str) -> None:
    h1, h2 = wires.hosts
    fabric = wires.fabric
    {
        "cut": lambda: fabric.cut(h2, "mgmt"),
        "partition": lambda: fabric.partition(h1, h2),
        "isolate": lambda: fabric.isolate(h2, "mgmt"),
        "loss": lambda: fabric.loss(h2, 100, "mgmt"),
    }[fault]()

    assert not h1.pings(h2.address)
    fabric.heal()
    wait_for("the wires to carry again", lambda: h1.pings(h2.address), 5)


def test_a_partition_may_be_one_way_and_leaves_other_lans_alone(wires: Lab) -> None:
    h1, h2 = wires.hosts
    data = h2.links[1].address.ip
    h1.exec("sh", "-c", f"ping -c 1 {h2.address} && ping -c 1 {data}")  # neighbours know each other

    wires.fabric.partition(h1, h2, "mgmt", oneway=True)

    assert not h1.pings(h2.address)
    assert h1.pings(data)
    before = int(h1.exec("cat", "/sys/class/net/eth0/statistics/rx_packets"))
    h2.pings(h1.address)
    assert int(h1.exec("cat", "/sys/class/net/eth0/statistics/rx_packets")) > before, "the other way is open"


def test_a_host_that_lost_power_comes_back_with_its_containers(pair: Lab) -> None:
    h1, h2 = pair.hosts
    h2.docker("run", "-d", "--name", "always", "--restart", "always", IMAGE)
    h2.exec("touch", "/run/gone", "/var/lib/moorage/kept")

    h2.crash()

    assert not h1.pings("10.77.0.12")
    h2.boot()
    h2.start(moorage=False)
    assert not h2.path("/run/gone").exists()
    assert h2.path("/var/lib/moorage/kept").exists()
    assert h1.pings(h2.address)
    running = "{{.State.Running}}"
    wait_for("the container", lambda: h2.docker("inspect", "-f", running, "always") == "true\n")


def test_a_daemon_is_paused_killed_and_repaired(pair: Lab) -> None:
    host = pair.hosts[1]
    host.procs["dockerd"].pause()
    with pytest.raises(LabError, match="timed out"):
        host.docker("version", timeout=0.5)
    host.procs["dockerd"].kill()
    host.procs["ovs-vswitchd"].kill()

    host.repair()

    assert host.docker("version")
    assert host.appctl("version")
    assert host.docker("ps", "-aq") == ""


def test_a_daemon_that_ends_at_once_is_reported_with_its_words(pair: Lab) -> None:
    host = pair.hosts[1]
    host.procs["dockerd"].kill()

    with pytest.raises(LabError, match="unknown flag: --no-such-option"):
        host.start_docker("--no-such-option")
    host.repair()


def test_what_a_node_writes_to_system_directories_stays_there(pair: Lab) -> None:
    pair.host.exec("sh", "-c", "echo here > /etc/moorage-lab-test && mkdir /var/lib/moorage-lab-test")

    assert not Path("/etc/moorage-lab-test").exists()
    assert not Path("/var/lib/moorage-lab-test").exists()
    assert not pair.hosts[1].succeeds("test", "-e", "/etc/moorage-lab-test")


def test_nothing_is_left_after_an_exception_and_the_machine_is_as_before() -> None:
    before = machines_network()
    lab_ = Lab(NAME, moorage=False)

    with pytest.raises(ZeroDivisionError), lab_:  # noqa: PT012
        lab_.host.docker("run", "-d", IMAGE)
        raise ZeroDivisionError

    assert [] == leftovers(lab_.place)
    assert before == machines_network()


def test_nothing_is_left_when_the_start_fails_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_image(to: Path) -> None:
        raise LabError("no image")

    monkeypatch.setattr(lab.lab, "make_image", no_image)
    lab_ = Lab(NAME)

    with pytest.raises(LabError, match="no image"), lab_:
        pass
    assert [] == leftovers(lab_.place)


@pytest.mark.parametrize("more", ["", "lab.host.freeze()"], ids=["running", "frozen"])
def test_a_killed_holder_leaves_no_process_and_no_mount(more: str) -> None:
    place = Place(NAME)
    holder = hold(NAME, more=more)
    assert alive(place)

    holder.kill()
    holder.communicate()

    if more:  # a frozen process dies when it thaws, which takes somebody who thaws it
        assert sweep()[NAME] == "removed"
    wait_for("everything to die", lambda: not alive(place), 5)
    sweep()
    assert [] == leftovers(place)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_command_and_leaves_nothing(number: signal.Signals) -> None:
    command = [sys.executable, "-c", "from lab.main import main; main()", "up", "--name", NAME, "--bare"]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    assert up.stdout is not None
    for line in up.stdout:
        if line.startswith("ctrl-C"):
            break

    try:
        up.send_signal(number)

        assert up.communicate(timeout=30)[0] == "stopped\n"
        assert up.returncode == 0
    finally:
        up.kill()
    assert [] == leftovers(Place(NAME))


def test_a_name_is_for_one_lab_at_a_time_and_others_live_beside_it(pair: Lab) -> None:
    with pytest.raises(LabError, match="in use by a running process"):
        Lab(pair.place.lab).start()

    assert "left alone" in sweep()[pair.place.lab]
    with Lab(NAME, docker=False, moorage=False) as other:
        assert other.host.address == pair.host.address
    assert pair.host.docker("version")


@pytest.mark.parametrize("name", ["", "a/b", "../x", "A", "seventeen-letters", "a.b"])
def test_a_name_that_is_no_path_component_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="a lab's name"):
        Lab(name)


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(0o777)

    with pytest.raises(LabError, match="not a directory of ours alone"):
        Lab(NAME, root=root).start()


def test_hosts_may_share_the_records_of_the_first() -> None:
    network = ("network", "create", "-d", "moorage-net", "--ipam-driver", "moorage-net", "--subnet", "10.1.0.0/24")
    with Lab(NAME, hosts=2, shared=True) as lab_:
        first, second = lab_.hosts
        second.docker(*network, "web")
        told = first.exec("ovsdb-client", "dump", "unix:/run/moorage/db.sock", "Moorage", "Host", "name")

        assert "h1" in told
        assert "h2" in told
        assert "moorage-db" not in second.procs
    assert [] == leftovers(lab_.place)
