"""Sizes of volumes and the end of their data, as containers and users of a real dockerd meet them."""

import json
from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.traces import volume_mounts
from tests.system.steps import SLEEP, refused

pytestmark = pytest.mark.system

PLACE = "/var/lib/moorage/btrfs"
FILE = "/var/lib/moorage/btrfs.img"
CREATE = ("volume", "create", "-d", "moorage-vol", "-o", "backend=sized")
WRITE = "dd if=/dev/zero of=/data/file bs=1M count=30 conv=fsync"


@pytest.fixture
def sized(host: Host) -> Iterator[Host]:
    """A host with the backend `sized` on a btrfs whose quotas are enabled."""
    host.exec("truncate", "-s", "256M", FILE)
    host.exec("mkfs.btrfs", "-q", "-f", FILE)
    host.exec("mkdir", "-p", PLACE)
    host.exec("mount", "-o", "loop", FILE, PLACE)
    host.exec("btrfs", "quota", "enable", PLACE)
    host.moorage("backend", "add", "sized", "--kind", "local", "--source", PLACE)
    yield host
    host.clear_docker()
    for name in listed(host, "--trash"):
        host.moorage("volume", "rm", "--now", "--yes", name, check=False)
    wait_for("no volumes", lambda: listed(host) + listed(host, "--trash") == [])
    host.moorage("backend", "rm", "sized")
    host.exec("sh", "-c", f"umount -l {PLACE} && rm {FILE}")


def listed(host: Host, *options: str) -> list[str]:
    return [one["name"] for one in json.loads(host.moorage("volume", "ls", "--json", *options))]


def status(host: Host, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(host.docker("volume", "inspect", name))[0]["Status"]
    return found


def use(host: Host, name: str) -> None:
    host.docker("run", "-d", "--name", "user", "-v", f"{name}:/data", IMAGE, *SLEEP)


def test_a_container_is_kept_to_the_size_of_its_volume_which_grows_under_it(sized: Host) -> None:
    sized.docker(*CREATE, "-o", "size=20M", "data")
    use(sized, "data")

    assert "btrfs quota group" == status(sized, "data")["SizeEnforcedBy"]
    assert "Disk quota exceeded" in refused(lambda: sized.docker("exec", "user", "sh", "-c", WRITE))

    sized.moorage("volume", "resize", "data", "60M")

    sized.docker("exec", "user", "sh", "-c", WRITE)
    wait_for("its use to be told", lambda: int(str(status(sized, "data").get("SizeUsed", 0))) >= 30 * 2**20)


def test_a_container_sees_a_volume_in_an_image_as_a_disk_of_its_size(sized: Host) -> None:
    sized.docker(*CREATE, "-o", "size=20M", "-o", "size-mode=image", "-o", "mode=0777", "data")
    use(sized, "data")

    assert "No space left on device" in refused(lambda: sized.docker("exec", "user", "sh", "-c", WRITE))
    assert "777\n" == sized.docker("exec", "user", "stat", "-c", "%a", "/data")
    sized.procs["moorage-volplugin"].kill()
    sized.start_volplugin()
    sized.docker("exec", "user", "sh", "-c", "rm /data/file && echo kept > /data/file")
    sized.docker("rm", "-f", "user")
    wait_for("nothing to be mounted", lambda: volume_mounts(sized) == [])

    assert "kept\n" == sized.docker("run", "--rm", "-v", "data:/data", IMAGE, "cat", "/data/file")


def test_a_size_that_cannot_be_kept_is_refused_with_the_ways_there_are(sized: Host) -> None:
    sized.exec("btrfs", "quota", "disable", PLACE)

    told = refused(lambda: sized.docker(*CREATE, "-o", "size=20M", "data"))

    assert f"quotas are not enabled there: btrfs quota enable {PLACE}" in told
    assert "-o size-mode=image" in told
    assert "" == sized.docker("volume", "ls", "-q")


def test_what_was_in_the_trash_for_its_time_is_deleted(sized: Host) -> None:
    config = sized.path("/etc/moorage/moorage.toml")
    config.write_text(f"{config.read_text()}\n[volplugin]\ntrash_for = 2.0\n")
    sized.procs["moorage-volplugin"].kill()
    sized.start_volplugin()
    sized.docker(*CREATE, "data")
    sized.docker("run", "--rm", "-v", "data:/data", IMAGE, "sh", "-c", "echo secret > /data/file")

    sized.docker("volume", "rm", "data")

    wait_for("an empty trash", lambda: listed(sized, "--trash") == [])
    assert "" == sized.exec("grep", "-rl", "secret", PLACE, check=False)
