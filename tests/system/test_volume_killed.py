"""volplugin is killed after every single effect of a volume's life; the user repeats the command, and all is well."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.command import CommandFailed, wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.moorage import CHECKOUT, DAEMONS
from lab.traces import volume_mounts
from tests.system.restarting import count
from tests.system.steps import SLEEP, inspect

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

ORDER = "/run/moorage/die-at"
LAUNCHER = Path(__file__).with_name("dying_volplugin.py")
DISK = "/var/lib/moorage/disk"
STEPS_AT_MOST = 40  # a life has about 15: far more would mean that the count never ends
MANY = 30  # seconds; none of it is a figure


@pytest.fixture
def disk(host: Host) -> Iterator[Host]:
    """A host with one backend, `disk`."""
    host.exec("mkdir", "-p", DISK)
    host.moorage("backend", "add", "disk", "--kind", "local", "--source", DISK, check=False)
    yield host
    host.clear_docker()


def start_mortal(host: Host) -> None:
    """Replace volplugin by one that dies on order, and soon takes back what Docker has forgotten."""
    host.configure({"volplugin": {"forget_after": 1.0}})
    host.procs["moorage-volplugin"].stop()
    socket_path = host.path(DAEMONS["moorage-volplugin"][1])
    host.spawn("moorage-volplugin", sys.executable, LAUNCHER, ORDER, env={"PYTHONPATH": str(CHECKOUT)})

    def accepts() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(socket_path))
        return True

    wait_for("volplugin", accepts, MANY)


def order(host: Host, number: int) -> None:
    """Let volplugin die at this effect; the order appears whole, as effects may be going on already."""
    draft = host.path(f"{ORDER}.draft")
    draft.write_text(str(number))
    draft.rename(host.path(ORDER))


def create(host: Host) -> None:
    host.docker("volume", "create", "-d", "moorage-vol", "-o", "backend=disk", "-o", "retain=delete", "data")


def run(host: Host) -> None:
    """Start a container with the volume."""
    host.docker("rm", "-f", "user", check=False)
    host.docker("run", "-d", "--name", "user", "--network", "none", "-v", "data:/data", IMAGE, *SLEEP)


def twice(step: Callable[[Host], None], host: Host) -> None:
    """Do it as a user does who repeats what failed."""
    try:
        step(host)
    except CommandFailed:
        step(host)


def removed(host: Host) -> bool:
    """Remove the volume; say whether it is no more."""
    host.docker("volume", "rm", "data", check=False)
    return "" == host.docker("volume", "ls", "-q", "-f", "name=data")


def left(host: Host) -> list[str]:
    """Return what there still is of volumes, but for the trash."""
    held = [f"holders: {number}"] if (number := count(host, "Holder")) else []
    return [*held, *volume_mounts(host), *map(str, host.path(DISK).glob("default/*"))]


def test_a_kill_after_any_effect_loses_nothing_and_the_repeated_command_succeeds(disk: Host) -> None:
    start_mortal(disk)
    trashed, died = count(disk, "Volume"), 0
    for number in range(STEPS_AT_MOST):
        order(disk, number)
        twice(create, disk)
        twice(run, disk)

        assert "moorage-vol" == inspect(disk, "user", "(index .Mounts 0).Driver"), f"killed after effect {number}"
        disk.docker("exec", "user", "sh", "-c", "echo kept > /data/file")
        assert 1 == len(list(disk.path(DISK).glob("default/data-*/file"))), f"killed after effect {number}"

        disk.docker("rm", "-f", "user")
        wait_for(f"the volume to be removed, killed after effect {number}", lambda: removed(disk), MANY)
        wait_for(f"nothing to be left, killed after effect {number}", lambda: left(disk) == [], MANY)
        wait_for("its record to go", lambda: trashed == count(disk, "Volume"), MANY)
        if disk.path(ORDER).exists():  # more effects were ordered than there are
            disk.path(ORDER).unlink()
            break
        died += 1

    assert 8 <= died < STEPS_AT_MOST


def test_that_a_process_of_volplugin_was_killed_is_unnoticed_by_the_next_container(disk: Host) -> None:
    create(disk)
    use = ("run", "--rm", "--network", "none", "-v", "data:/data", IMAGE, "touch", "/data/file")
    disk.docker(*use)
    for process in (backend_process, serving, backend_process):
        disk.exec("kill", "-9", process(disk))
        disk.docker(*use)

    assert [] == volume_mounts(disk)


def backend_process(host: Host) -> int:
    """Return the process that works for the backend."""
    return int(host.exec("pgrep", "-f", "volplugin.worker disk$"))


def serving(host: Host) -> int:
    """Return the process that takes Docker's calls."""
    lines = host.log("moorage-volplugin").read_text().splitlines()
    told = [json.loads(line) for line in lines if '"serving"' in line]
    return int(told[-1]["pid"])
