"""Docker's own tests of volume drivers (moby: DockerExternalVolumeSuite), on our driver and a real dockerd."""

import json
from collections.abc import Iterator

import pytest

from lab.host import Host
from lab.image import IMAGE
from lab.traces import ids, volume_mounts
from tests.system.steps import SLEEP, inspect, refused

pytestmark = pytest.mark.system

DISK = "/var/lib/moorage/disk"
CREATE = ("volume", "create", "-d", "moorage-vol")
RUN = ("run", "--network", "none")


@pytest.fixture
def disk(host: Host) -> Iterator[Host]:
    """A host with one backend, `disk`."""
    host.exec("mkdir", "-p", DISK)
    host.moorage("backend", "add", "disk", "--kind", "local", "--source", DISK, check=False)
    yield host
    host.clear_docker()
    assert [] == volume_mounts(host)
    assert [] == ids(host, "Holder")


def test_a_name_is_of_one_driver(disk: Host) -> None:
    disk.docker(*CREATE, "data")

    assert "volume name must be unique" in refused(lambda: disk.docker("volume", "create", "-d", "local", "data"))

    disk.docker(*CREATE, "data")


def test_a_named_volume_is_of_the_driver_and_stays(disk: Host) -> None:
    write = ("--rm", "--volume-driver", "moorage-vol", "-v", "data:/data", IMAGE)
    disk.docker(*RUN, *write, "sh", "-c", "echo kept > /data/file")

    assert "kept" == disk.docker(*RUN, *write, "cat", "/data/file").strip()
    assert not disk.path("/var/lib/docker/volumes/data").exists()
    assert "moorage-vol data" == disk.docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}").strip()

    disk.docker("volume", "rm", "data")

    assert "no such volume" in refused(lambda: disk.docker("volume", "inspect", "data")).lower()


def test_an_unnamed_volume_goes_with_its_container(disk: Host) -> None:
    disk.docker(*RUN, "--rm", "--volume-driver", "moorage-vol", "-v", "/data", IMAGE, "true")
    disk.docker(*RUN, "--name", "user", "-d", "--volume-driver", "moorage-vol", "-v", "/data", IMAGE, *SLEEP)

    assert 1 == len(disk.docker("volume", "ls", "-q").split())

    disk.docker("rm", "-fv", "user")

    assert "" == disk.docker("volume", "ls", "-q")


def test_containers_share_a_volume_by_volumes_from(disk: Host) -> None:
    disk.docker(
        *RUN, "--name", "first", "--volume-driver", "moorage-vol", "-v", "data:/data", IMAGE, "touch", "/data/1"
    )

    assert "1" == disk.docker(*RUN, "--rm", "--volumes-from", "first", "--name", "second", IMAGE, "ls", "/data").strip()


def test_a_container_tells_which_volume_of_which_driver_it_has(disk: Host) -> None:
    disk.docker(*CREATE, "data")
    disk.docker(*RUN, "-d", "--name", "user", "-v", "data:/data", IMAGE, *SLEEP)
    (mount,) = json.loads(disk.docker("inspect", "-f", "{{json .Mounts}}", "user"))

    assert ("data", "moorage-vol", "/data") == (mount["Name"], mount["Driver"], mount["Destination"])
    assert 1 == len(volume_mounts(disk))


def test_copying_from_a_running_container_leaves_it_its_volume(disk: Host) -> None:
    disk.docker(*CREATE, "data")
    disk.docker(*RUN, "-d", "--name", "user", "-v", "data:/data", IMAGE, *SLEEP)
    before = volume_mounts(disk)
    disk.docker("exec", "user", "touch", "/data/file")
    disk.docker("cp", "user:/data/file", "/tmp/file")

    assert before == volume_mounts(disk) != []
    assert "true" == inspect(disk, "user", ".State.Running")

    disk.docker("kill", "user")

    assert [] == volume_mounts(disk)

    disk.docker("cp", "user:/data/file", "/tmp/file")

    assert [] == volume_mounts(disk)


def test_a_container_that_cannot_start_holds_nothing(disk: Host) -> None:
    disk.docker(*CREATE, "data")

    assert refused(lambda: disk.docker(*RUN, "-v", "data:/data", IMAGE, "no-such-program"))
    assert [] == volume_mounts(disk)


def test_names_that_docker_lets_through_are_refused_by_the_driver(disk: Host) -> None:
    for name in ("a", "..", "a/b/c", "a" * 300):
        assert "a volume cannot be called" in refused(lambda name=name: disk.docker(*CREATE, name))  # type: ignore[misc]

    assert "" == disk.docker("volume", "ls", "-q")
