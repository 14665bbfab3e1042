"""What is said when an NFS share cannot be mounted, or cannot be written to."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.fuse_nfs.install import PROGRAM, install
from lab.ganesha import Ganesha
from lab.host import Host
from tests.system.nfs.words import backend, create, run, share
from tests.system.steps import refused

pytestmark = pytest.mark.system

US = "10.77.0.11"  # the host's address, as the server sees it


@pytest.mark.parametrize(
    ("name", "source", "version", "says"),
    [
        (
            "nameless",
            "nosuch:/a",
            "4.1",
            "there is no address for nosuch (Name or service not known); look at its name",
        ),
        ("closed", "outside:/a", "4.1", "outside (203.0.113.9) refuses connections to TCP port 2049; start the NFS"),
        ("closed3", "outside:/a", "3", "outside (203.0.113.9) refuses connections to TCP port 111; start the NFS"),
        ("absent", "nas:/absent", "4.1", f"there is no export /absent that this host ({US}) may see; make it, or let"),
        ("denied", "nas:/denied", "4.1", f"there is no export /denied that this host ({US}) may see; make it, or let"),
        ("denied3", "nas:/denied", "3", f"the server does not let this host ({US}) mount /denied; export it, and to"),
    ],
)
def test_a_share_that_cannot_be_mounted_says_why(
    host: Host, nas: Ganesha, name: str, source: str, version: str, says: str
) -> None:
    nas.export("denied", clients="10.77.0.250")
    backend(host, name, f"vers={version}", source=source)

    told = refused(lambda: create(host, "far", name))

    assert f"volume far: {source} cannot be mounted: " in told
    assert says in told
    assert "" == host.docker("volume", "ls", "-q")


def test_what_mount_itself_says_is_told_too(host: Host, nas: Ganesha) -> None:
    share(host, nas, "options", "vers=4.1", "bogus=1")

    told = refused(lambda: create(host, "far", "options"))

    assert "mount.nfs4: an incorrect mount option was specified; one of the mount options is not known to this" in told


@pytest.mark.parametrize(
    ("only", "version", "says"),
    [
        ("4.0", "4.1", "nas does not offer NFS 4.1; of NFS 4 it has 4.0; define it with -o vers=4.0"),
        ("4.0", "3", "serves NFS 4, not 3; define it with -o vers=4"),
        ("3", "4.1", "serves NFS 3, not 4.1; define it with -o vers=3"),
    ],
)
def test_a_version_that_is_not_offered_is_told_with_those_that_are(
    host: Host, nas: Ganesha, only: str, version: str, says: str
) -> None:
    name = f"only{only}-{version}"
    share(host, nas, name, f"vers={version}")
    nas.stop()
    nas.minors, nas.v3 = ((0,), False) if only == "4.0" else ((), True)
    nas.start()

    assert says in refused(lambda: create(host, "far", name))


@contextmanager
def kernel_s_own_client(host: Host) -> Iterator[None]:
    host.exec("umount", PROGRAM)
    yield
    install(host)


def test_a_kernel_without_an_nfs_client_is_told(host: Host, nas: Ganesha) -> None:
    share(host, nas, "kernel", "vers=4.1")

    with kernel_s_own_client(host):
        told = refused(lambda: create(host, "far", "kernel"))

    assert "mount.nfs4: No such device; this kernel has no NFS client: install the kernel package" in told


@pytest.mark.parametrize("option", ["bg", "retry=5", "vers=2", "timeo=soon", "_netdev", "sec=sys,exec"])
def test_an_option_that_makes_no_sense_is_refused_where_the_backend_is_defined(host: Host, option: str) -> None:
    told = refused(lambda: backend(host, "senseless", option, source="nas:/a"))

    assert "exit 2" in told
    assert option.partition("=")[0] in told


# -- mounted, but not to be written to -------------------------------------------------------------------------------


def test_where_root_is_squashed_the_advice_is_to_let_it_be(host: Host, nas: Ganesha) -> None:
    nas.export("squash", root_squash=True).chmod(0o755)
    backend(host, "squash", "vers=4.1")

    told = refused(lambda: create(host, "far", "squash"))

    assert "its directory cannot be made on backend squash: Permission denied: root may not write there" in told
    assert "root_squash" in told


def test_where_root_is_squashed_an_owner_is_refused_and_nothing_stays(host: Host, nas: Ganesha) -> None:
    export = nas.export("squashed", root_squash=True)
    export.chmod(0o777)
    backend(host, "squashed", "vers=4.1")

    told = refused(lambda: create(host, "far", "squashed", "uid=1000"))

    assert "(root_squash): export it with no_root_squash, or leave uid and gid out" in told
    create(host, "far", "squashed")
    assert "ok" == run(host, "far", "echo ok > file; cat file")


def test_a_read_only_export_is_told_when_a_volume_is_made(host: Host, nas: Ganesha) -> None:
    nas.export("ro", read_only=True)
    backend(host, "ro", "vers=4.1")

    assert "Read-only file system: it is read-only there" in refused(lambda: create(host, "far", "ro"))


def mounted(nas: Ganesha, name: str, size: str, *commands: str) -> None:
    """Export a file system of a size, made by commands in which IMAGE and DIR stand for its file and mount point."""
    image, export = nas.node.state / f"{name}.img", nas.node.state / "exports" / name
    for command in ("mkdir -p DIR", f"truncate -s {size} IMAGE", *commands):
        nas.node.exec("sh", "-c", command.replace("IMAGE", str(image)).replace("DIR", str(export)))
    nas.export(name, export)


def test_a_full_export_is_told_to_the_container_and_when_a_volume_is_made(host: Host, nas: Ganesha) -> None:
    mounted(nas, "full", "4M", "mkfs.ext4 -q -m 0 IMAGE", "mount -o loop IMAGE DIR")
    backend(host, "full", "vers=4.1")
    create(host, "far", "full")

    told = refused(lambda: run(host, "far", "cd /data; for size in 64k 4k; do dd if=/dev/zero of=$size bs=$size; done"))

    assert "No space left on device" in told
    assert "No space left on device: there is no space left" in refused(lambda: create(host, "more", "full"))


def test_a_quota_of_the_server_is_told_to_the_container(host: Host, nas: Ganesha) -> None:
    mounted(
        nas, "quota", "128M", "mkfs.btrfs -q IMAGE", "mount -o loop IMAGE DIR",
        "btrfs quota enable DIR; btrfs subvolume create DIR/part; btrfs qgroup limit 5M DIR/part; umount DIR",
        "mount -o loop,subvol=part IMAGE DIR",
    )  # fmt: skip
    backend(host, "quota", "vers=4.1")
    create(host, "far", "quota")

    told = refused(lambda: run(host, "far", "dd if=/dev/zero of=file bs=64k count=160 conv=fsync"))

    assert "Quota exceeded" in told or "Disk quota exceeded" in told
