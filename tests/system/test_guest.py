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
from volplugin.mountinfo import at, below, parse

pytestmark = [pytest.mark.system, pytest.mark.vm]

HOLD = """
import time
from lab.guest.guest import start
guest = start()
print(guest.qemu.directory, flush=True)
time.sleep(600)
"""
# makes a directory and limits it to 20 MiB, by the code of the volume plugin
LIMIT = """
import sys
from pathlib import Path
from volplugin import quota
directory, device = Path(sys.argv[1]) / "sized", sys.argv[2]
directory.mkdir()
quota.limit(device, 0x40000001, 20 << 20)
quota.set_project(directory, 0x40000001)
print(quota.enforced(device), quota.known(device, quota.project(directory)))
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


def test_a_bind_of_its_nfs_is_known_by_its_source(guest: Guest) -> None:
    """The kernel shows every directory of NFS with the root "/", and tells it by the source alone."""
    guest.exec("sh", "-c", "mkdir -p /srv/bound/acme/db /mnt/share /mnt/bind")
    guest.exec("exportfs", "-o", "rw,no_root_squash,fsid=3", "127.0.0.1:/srv/bound")
    guest.exec("mount", "-t", "nfs", "-o", "vers=4.2", "127.0.0.1:/srv/bound", "/mnt/share")
    guest.exec("mount", "--bind", "/mnt/share/acme/db", "/mnt/bind")
    table = parse(guest.get("/proc/self/mountinfo").decode())

    share, bind = at("/mnt/share", table), at("/mnt/bind", table)

    assert share is not None
    assert bind is not None
    assert "acme/db" == below(share, bind)
    guest.exec("umount", "/mnt/bind", "/mnt/share")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        ("mkdir -p /srv/ext4", "Disk quota exceeded"),
        ("truncate -s 400M /xfs && mkfs.xfs -q /xfs && mkdir /srv/xfs && mount -o prjquota /xfs /srv/xfs", "No space"),
    ],
    ids=["ext4", "xfs"],
)
def test_a_project_quota_ends_what_a_container_s_root_may_write(guest: Guest, make: str, message: str) -> None:
    """Root in a container lacks the capability that ext4 lets pass."""
    guest.exec("sh", "-c", make)
    words = (
        make.rsplit(maxsplit=1)[-1],
        guest.exec("findmnt", "-no", "SOURCE", "-T", make.rsplit(maxsplit=1)[-1]).strip(),
    )
    assert "True (20971520, " in guest.exec("python3", "-c", LIMIT, *words)

    fill = ["dd", "if=/dev/zero", f"of={words[0]}/sized/file", "bs=1M", "count=30"]
    with pytest.raises(CommandFailed, match=message):
        guest.exec("setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource", *fill)


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
