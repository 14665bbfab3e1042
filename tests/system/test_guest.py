"""The guest: a machine with Debian's own kernel, which has what the kernel under the lab's namespaces lacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.command import CommandFailed, run, wait_for
from lab.guest.guest import Guest
from lab.image import IMAGE

pytestmark = [pytest.mark.system, pytest.mark.vm]

HOLD = """
import time
from lab.guest.guest import start
guest = start()
print(guest.qemu.directory, flush=True)
time.sleep(600)
"""


def test_it_is_a_whole_machine_with_systemd_and_cgroups_of_version_2(guest: Guest) -> None:
    assert "systemd" == guest.exec("cat", "/proc/1/comm").strip()
    assert "cgroup2fs" == guest.exec("stat", "-fc", "%T", "/sys/fs/cgroup").strip()
    assert "running" == guest.exec("systemctl", "is-system-running").strip()


def test_it_has_no_network_card(guest: Guest) -> None:
    assert {"lo", "docker0"} == set(guest.exec("ls", "/sys/class/net").split())


def test_docker_runs_containers(guest: Guest) -> None:
    assert "hello\n" == guest.docker("run", "--rm", "--network", "none", IMAGE, "echo", "hello")


def test_our_commands_are_installed_there(guest: Guest) -> None:
    assert "moorage, version" in guest.exec("moorage", "--version")


def test_a_command_that_fails_there_is_told_as_one_that_fails_here(guest: Guest) -> None:
    with pytest.raises(CommandFailed, match=r"exit 2: .*No such file or directory"):
        guest.exec("ls", "/nothing/of/that/name")


@pytest.mark.parametrize("version", ["3", "4.0", "4.1", "4.2"])
def test_its_kernel_mounts_nfs_of_its_kernel(guest: Guest, version: str) -> None:
    guest.exec(
        "sh", "-c", "mkdir -p /srv/plain /mnt/plain && exportfs -o rw,no_root_squash,fsid=1 127.0.0.1:/srv/plain"
    )
    guest.exec("mount", "-t", "nfs", "-o", f"vers={version}", "127.0.0.1:/srv/plain", "/mnt/plain")
    try:
        guest.put("/mnt/plain/file", version)

        assert version == guest.get("/srv/plain/file").decode()
        assert f",vers={version}," in guest.exec("findmnt", "-no", "OPTIONS", "/mnt/plain")
    finally:
        guest.exec("umount", "/mnt/plain")


def test_it_ends_with_the_process_that_started_it() -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    directory = Path(holder.stdout.readline().strip() if holder.stdout else "")
    monitor = f"{directory}/monitor"
    assert running_with(monitor)

    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()

    wait_for("QEMU to end", lambda: not running_with(monitor))
    wait_for("its directory to go", lambda: not directory.exists())


def running_with(word: str) -> bool:
    """Return whether a process has this in its command line."""
    return bool(run(["pgrep", "-f", word], check=False))
