"""Volumes on an NFS server, through a real dockerd."""

import pytest

from lab.command import wait_for
from lab.fuse_nfs.install import install
from lab.ganesha import Ganesha
from lab.host import Host
from lab.image import IMAGE
from lab.traces import volume_mounts
from tests.system.nfs.words import create, run, share
from tests.system.steps import refused

pytestmark = pytest.mark.system


@pytest.mark.parametrize("version", ["3", "4.0", "4.1"])
def test_a_volume_is_a_directory_of_the_export(host: Host, nas: Ganesha, version: str) -> None:
    name = f"v{version.replace('.', '')}"
    export = share(host, nas, name, f"vers={version}")
    create(host, "first", name, "uid=1000", "mode=0750")

    run(host, "first", "echo kept > file")

    assert "kept" == run(host, "first", "cat file")
    (directory,) = (export / "default").glob("*/")
    assert (1000, 0o40750) == (directory.stat().st_uid, directory.stat().st_mode)
    assert "kept\n" == (directory / "file").read_text()
    assert [] == volume_mounts(host)


def test_every_container_of_a_volume_sees_its_directory_and_nothing_above(host: Host, nas: Ganesha) -> None:
    share(host, nas, "tenants", "vers=4.1")
    for volume in ("mine", "theirs"):
        create(host, volume, "tenants")
        run(host, volume, f"echo {volume} > file")
    host.docker("run", "-d", "--name", "first", "-v", "mine:/data", IMAGE)

    second = run(host, "mine", "ls -A; cat file; ls -A /data/..")

    assert ["file", "mine"] == second.split()[:2]
    assert "theirs" not in second
    assert ["file"] == host.docker("exec", "first", "ls", "-A", "/data").split()


def test_hosts_share_a_volume(host: Host, other: Host, nas: Ganesha) -> None:
    share(host, nas, "common", "vers=4.1")
    create(host, "ours", "common")
    host.docker("run", "-d", "--name", "writer", "-v", "ours:/data", IMAGE)

    host.docker("exec", "writer", "sh", "-c", "echo from h1 > /data/file")

    wait_for("the volume to be known everywhere", lambda: "ours" in other.docker("volume", "ls", "-q").split())
    assert "from h1" == run(other, "ours", "cat file; echo from h2 > answer")
    assert "from h2\n" == host.docker("exec", "writer", "cat", "/data/answer")
    assert "in use" in refused(lambda: other.docker("volume", "rm", "ours"))


def test_a_host_that_lost_power_finds_its_volumes_again(host: Host, other: Host, nas: Ganesha) -> None:
    share(host, nas, "power", "vers=4.1")
    create(host, "ours", "power")
    wait_for("the volume to be known everywhere", lambda: "ours" in other.docker("volume", "ls", "-q").split())
    run(other, "ours", "echo kept > file")

    other.crash()
    assert "kept" == run(host, "ours", "cat file")
    other.boot()
    install(other)
    other.start(ovs=False)

    assert "kept" == run(other, "ours", "cat file")
