"""Volumes on a disk of the host, through a real dockerd."""

import json
from collections.abc import Iterator

import pytest

from lab.host import Host
from lab.image import IMAGE
from lab.traces import volume_mounts
from tests.system.steps import refused

pytestmark = pytest.mark.system

CREATE = ("volume", "create", "-d", "moorage-vol")


@pytest.fixture
def disk(host: Host) -> Iterator[Host]:
    """A host with one backend, `disk`."""
    host.exec("mkdir", "-p", "/var/lib/moorage/disk")
    host.moorage("backend", "add", "disk", "--kind", "local", "--source", "/var/lib/moorage/disk", check=False)
    yield host
    host.clear_docker()


def write(host: Host, volume: str, text: str) -> None:
    host.docker("run", "--rm", "-v", f"{volume}:/data", IMAGE, "sh", "-c", f"echo {text} > /data/file")


def read(host: Host, volume: str) -> str:
    return host.docker("run", "--rm", "-v", f"{volume}:/data", IMAGE, "cat", "/data/file").strip()


def test_what_a_container_writes_another_one_reads(disk: Host) -> None:
    disk.docker(*CREATE, "first")

    write(disk, "first", "kept")

    assert "kept" == read(disk, "first")
    assert [] == volume_mounts(disk)


def test_a_volume_tells_where_it_is_and_who_holds_it(disk: Host) -> None:
    disk.docker(*CREATE, "-o", "mode=0770", "first")
    disk.docker("run", "-d", "--name", "user", "-v", "first:/data", IMAGE)

    (told,) = json.loads(disk.docker("volume", "inspect", "first"))

    assert ("moorage-vol", "global") == (told["Driver"], told["Scope"])
    assert {"h1": 1} == told["Status"]["Holders"]
    assert "disk (local /var/lib/moorage/disk)" == told["Status"]["Backend"]
    assert told["Mountpoint"].startswith("/var/lib/moorage/volumes/disk/")


def test_a_volume_in_use_cannot_be_removed(disk: Host) -> None:
    disk.docker(*CREATE, "first")
    disk.docker("run", "-d", "--name", "user", "-v", "first:/data", IMAGE)

    assert "in use" in refused(lambda: disk.docker("volume", "rm", "first"))


def test_an_unknown_backend_is_refused_with_those_there_are(disk: Host) -> None:
    told = refused(lambda: disk.docker(*CREATE, "-o", "backend=nowhere", "first"))

    assert "there is no backend nowhere; there are: disk" in told
    assert "" == disk.docker("volume", "ls", "-q")
