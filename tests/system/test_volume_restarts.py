"""What containers with volumes notice when parts of the host are restarted or killed, and what is left afterwards."""

import json
import os
import signal
from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab, leftovers
from lab.traces import VOLUMES, volume_mounts
from tests.system.restarting import STARTS, count, end, live_restore, restart
from tests.system.steps import SLEEP, inspect

pytestmark = pytest.mark.system

DISK = "/var/lib/moorage/disk"
MANY = 30  # seconds; none of it is a figure
ALWAYS = ("--restart", "always")


@pytest.fixture(scope="module")
def town(machine: None) -> Iterator[Lab]:
    """A lab of its own, which soon takes back what Docker has forgotten."""
    with Lab(f"vrestarts-{os.getpid()}", ovs=False, config={"volplugin": {"forget_after": 1.0}}) as town:
        town.host.exec("mkdir", "-p", DISK)
        town.host.moorage("backend", "add", "disk", "--kind", "local", "--source", DISK)
        yield town
    assert [] == leftovers(town.place)


@pytest.fixture
def host(town: Lab) -> Iterator[Host]:
    """A host with volume `data`; afterwards nothing is held or mounted."""
    host = town.host
    host.docker("volume", "create", "-d", "moorage-vol", "--label", "kept=yes", "data")
    yield host
    for container in host.docker("ps", "-aq").split():
        host.docker("rm", "-f", container)
    wait_for("nothing to be held", lambda: nothing_held(host), MANY)
    host.repair()


def nothing_held(host: Host) -> bool:
    return 0 == count(host, "Holder") and [] == volume_mounts(host)


def container(host: Host, name: str, *options: str) -> None:
    """Start a container that has the volume."""
    host.docker("run", "-d", "--name", name, "--network", "none", "-v", "data:/data", *options, IMAGE, *SLEEP)


def uses(host: Host, name: str) -> bool:
    """Say whether a container writes to the volume, and reads what it has written."""
    told = host.docker("exec", name, "sh", "-c", "date +%s.%N > /data/now && cat /data/now", check=False)
    (there,) = host.path(DISK).glob("default/data-*/now")
    return told != "" and told == there.read_text()


def mount_numbers(host: Host) -> list[str]:
    """Return the kernel's numbers of our mounts: what is mounted anew has another one."""
    lines = host.exec("cat", "/proc/self/mountinfo").splitlines()
    return sorted(line.split()[0] for line in lines if "/var/lib/moorage/volumes/" in line)


@pytest.mark.parametrize("daemon", ["moorage-volplugin", "moorage-db"])
def test_a_daemon_of_moorage_away_and_back_leaves_what_containers_have_mounted(host: Host, daemon: str) -> None:
    container(host, "a1")
    before = mount_numbers(host)
    for number in (signal.SIGTERM, signal.SIGKILL):
        end(host, daemon, number)

        assert uses(host, "a1")

        STARTS[daemon](host)
        container(host, "b1")

        assert uses(host, "b1")
        assert before == mount_numbers(host)
        host.docker("rm", "-f", "b1")

    host.docker("rm", "-f", "a1")
    assert [] == volume_mounts(host)


def test_dockerd_with_live_restore_restarted_leaves_them_too(host: Host) -> None:
    live_restore(host, on=True)
    container(host, "a1")
    before = mount_numbers(host)
    for number in (signal.SIGTERM, signal.SIGKILL):
        restart(host, "dockerd", number)
        host.docker("cp", "a1:/data", "/tmp/copy")  # asks for the volume and gives it back, with the container's own id

        assert uses(host, "a1")
        assert before == mount_numbers(host)
        assert 1 == count(host, "Holder")

    host.docker("rm", "-f", "a1")  # of a container that was copied from, Docker 20.10 sends no Unmount now
    wait_for("nothing to be held", lambda: nothing_held(host), MANY)
    live_restore(host, on=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_dockerd_without_live_restore_restarted_starts_containers_anew_with_their_volume(
    host: Host, number: signal.Signals
) -> None:
    container(host, "a1", *ALWAYS)
    container(host, "b1")
    restart(host, "dockerd", number)

    wait_for("the container", lambda: uses(host, "a1"), MANY)
    wait_for("the use of the other one to end", lambda: 1 == count(host, "Holder"), MANY)
    (told,) = json.loads(host.docker("volume", "inspect", "data"))
    assert ("moorage-vol", {"kept": "yes"}) == (told["Driver"], told["Labels"])
    host.docker("rm", "-f", "a1")
    assert [] == volume_mounts(host)


def test_after_a_power_cut_containers_come_up_with_their_volumes_and_nothing_else_is_held(host: Host) -> None:
    container(host, "a1", *ALWAYS)
    container(host, "b1")
    assert uses(host, "a1")
    host.crash()
    host.boot()
    host.start(ovs=False)

    wait_for("the container", lambda: uses(host, "a1"), MANY)
    wait_for("the use of the other one to end", lambda: 1 == count(host, "Holder"), MANY)
    host.docker("start", "b1")
    assert uses(host, "b1")
    assert "local" != inspect(host, "b1", "(index .Mounts 0).Driver")


def test_what_is_left_of_a_backend_that_was_removed_while_volplugin_was_away_is_taken_away(host: Host) -> None:
    before = count(host, "Volume")  # with those in the trash
    host.exec("mkdir", "-p", f"{DISK}2")
    host.moorage("backend", "add", "disk2", "--kind", "local", "--source", f"{DISK}2")
    host.docker("volume", "create", "-d", "moorage-vol", "-o", "backend=disk2", "-o", "retain=keep", "other")
    host.docker("run", "--rm", "--network", "none", "-v", "other:/data", IMAGE, "touch", "/data/kept")
    host.docker("volume", "rm", "other")
    place = host.path(f"{VOLUMES}/disk2")
    wait_for("its record to go", lambda: before == count(host, "Volume"), MANY)
    end(host, "moorage-volplugin", signal.SIGKILL)
    host.moorage("backend", "rm", "disk2")

    assert (place / "share").exists()

    host.start_volplugin()

    wait_for("its share to go", lambda: not place.exists(), MANY)
    assert "" == host.exec("grep", "disk2", "/proc/self/mountinfo", check=False)
    assert 1 == len(list(host.path(f"{DISK}2").glob("default/other-*/kept")))
