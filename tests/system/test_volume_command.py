"""`moorage volume` beside a real dockerd: what operators do with volumes, from the first day to the last."""

import functools
import json
from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.image import IMAGE
from tests.system.steps import refused

pytestmark = pytest.mark.system

PLACE = "/var/lib/moorage/drawer"


@pytest.fixture
def drawer(host: Host) -> Iterator[Host]:
    """A host with the backend `drawer`, which has the directory `legacy` with a file in it."""
    host.exec("mkdir", "-p", f"{PLACE}/legacy")
    host.exec("sh", "-c", f"echo old > {PLACE}/legacy/file")
    host.moorage("backend", "add", "drawer", "--kind", "local", "--source", PLACE, check=False)
    yield host
    host.clear_docker()
    for name in listed(host, "--trash"):
        host.moorage("volume", "rm", "--now", "--yes", name, check=False)
    host.moorage("backend", "rm", "drawer", check=False)  # volumes of other tests name no backend


def listed(host: Host, *options: str) -> list[str]:
    return [one["name"] for one in json.loads(host.moorage("volume", "ls", "--json", *options))]


def make(host: Host, name: str) -> None:
    host.docker("volume", "create", "-d", "moorage-vol", "-o", "backend=drawer", name)
    host.docker("run", "--rm", "-v", f"{name}:/data", IMAGE, "sh", "-c", "echo kept > /data/file")


def read(host: Host, name: str) -> str:
    return host.docker("run", "--rm", "-v", f"{name}:/data", IMAGE, "cat", "/data/file").strip()


def test_a_volume_that_was_removed_comes_back_with_its_data(drawer: Host) -> None:
    make(drawer, "db")
    drawer.docker("volume", "rm", "db")
    wait_for("the trash", lambda: "trashed" in drawer.moorage("volume", "ls", "--trash"))

    assert "volume db is back\n" == drawer.moorage("volume", "restore", "db")
    assert "kept" == read(drawer, "db")


def test_a_volume_is_deleted_for_good_from_the_trash_and_at_once(drawer: Host) -> None:
    for name in ("db", "web"):
        make(drawer, name)
    drawer.docker("volume", "rm", "db")

    assert "volume db is deleted\nvolume web is deleted\n" == drawer.moorage(
        "volume", "rm", "--now", "--yes", "db", "web"
    )
    assert ([], []) == (listed(drawer), listed(drawer, "--trash"))
    assert "kept" not in drawer.exec("grep", "-rl", "kept", PLACE, check=False)


def test_a_volume_in_use_is_neither_renamed_nor_deleted(drawer: Host) -> None:
    make(drawer, "db")
    drawer.docker("run", "-d", "--name", "user", "-v", "db:/data", IMAGE)

    assert "h1: 1" in drawer.moorage("volume", "ls")
    for command in (("rm", "--now", "--yes", "db"), ("rename", "db", "web"), ("rm", "db")):
        said = refused(functools.partial(drawer.moorage, "volume", *command))
        assert "volume db is in use by a container on host h1" in said


def test_a_volume_keeps_its_data_under_another_name(drawer: Host) -> None:
    make(drawer, "db")
    drawer.moorage("volume", "rename", "db", "web")

    assert "kept" == read(drawer, "web")
    assert ["web"] == listed(drawer)


def test_a_directory_that_was_there_becomes_a_volume_and_stays_when_it_is_removed(drawer: Host) -> None:
    drawer.moorage("volume", "import", "old", "--backend", "drawer", "--path", "legacy")
    assert "old" == read(drawer, "old")

    drawer.docker("volume", "rm", "old")
    wait_for("nothing to be known of it", lambda: listed(drawer, "--trash") == [])
    assert "old\n" == drawer.exec("cat", f"{PLACE}/legacy/file")


def test_a_directory_that_is_not_there_is_no_volume(drawer: Host) -> None:
    said = refused(lambda: drawer.moorage("volume", "import", "old", "--backend", "drawer", "--path", "nowhere"))

    assert "nowhere" in said
    drawer.moorage("volume", "rm", "old")
    wait_for("nothing to be known of it", lambda: listed(drawer) + listed(drawer, "--trash") == [])
