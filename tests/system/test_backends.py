"""The operator's commands for backends, and what users are told of a backend that fails."""

import json
from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.traces import VOLUMES, volume_mounts
from tests.system.steps import refused
from volplugin.mountinfo import parse

pytestmark = pytest.mark.system

PLACE = "/var/lib/moorage/shelf"


@pytest.fixture
def shelf(host: Host) -> Iterator[Host]:
    """A host with the backend `shelf`, whose directory can be moved away."""
    host.exec("mkdir", "-p", PLACE)
    host.moorage("backend", "add", "shelf", "--kind", "local", "--source", PLACE, check=False)
    yield host
    host.exec("mkdir", "-p", PLACE)
    host.clear_docker()
    wait_for("volumes to be deleted", lambda: not told(host)["removed"])
    host.moorage("backend", "rm", "shelf", check=False)  # volumes of other tests name no backend


def kept(host: Host) -> None:
    """Make a volume that leaves nothing when it is removed."""
    host.docker("volume", "create", "-d", "moorage-vol", "-o", "backend=shelf", "-o", "retain=delete", "kept")


def mounts(host: Host) -> list[str]:
    return [m.target for m in parse(host.exec("cat", "/proc/self/mountinfo"))]


def told(host: Host) -> dict[str, object]:
    found: list[dict[str, object]] = json.loads(host.moorage("backend", "ls", "--json"))
    return next((one for one in found if one["name"] == "shelf"), {"removed": []})


def test_a_backend_that_works_says_so_step_by_step_and_leaves_nothing(shelf: Host) -> None:
    before = mounts(shelf)
    said = shelf.moorage("backend", "test", "shelf").splitlines()

    steps = [line.split(":")[0].split() for line in said]
    assert [["ok", step] for step in ("directory", "mount", "write", "read", "owner", "remove", "unmount")] == steps
    assert "" == shelf.exec("ls", "-A", PLACE)
    assert before == mounts(shelf)
    assert "" == shelf.exec("find", "/run/moorage", "-name", "test-*")


def test_the_daemons_view_of_a_backend_is_shown(shelf: Host) -> None:
    kept(shelf)

    wait_for("the size", lambda: told(shelf)["total"])
    found = told(shelf)
    assert ("well", None, True, ["kept"]) == tuple(found[key] for key in ("health", "problem", "mounted", "volumes"))


def test_a_container_whose_mount_fails_is_told_why_and_what_to_do_and_starts_when_that_is_done(shelf: Host) -> None:
    kept(shelf)
    wait_for("no use", lambda: volume_mounts(shelf) == [])
    shelf.procs["moorage-volplugin"].kill()
    shelf.exec("umount", f"{VOLUMES}/shelf/share", check=False)
    shelf.exec("mv", PLACE, f"{PLACE}-away")
    shelf.start_volplugin()

    said = refused(lambda: shelf.docker("run", "--rm", "-v", "kept:/data", IMAGE, "true"))
    assert f"volume kept: {PLACE} does not exist: make it: mkdir -p {PLACE}" in said
    assert 1 == said.count("does not exist")

    shelf.exec("mv", f"{PLACE}-away", PLACE)
    shelf.docker("run", "--rm", "-v", "kept:/data", IMAGE, "true")


def test_a_backend_with_volumes_stays_and_one_without_is_unmounted_and_forgotten(shelf: Host) -> None:
    kept(shelf)

    assert "backend shelf has 1 volume on it: kept" in refused(lambda: shelf.moorage("backend", "rm", "shelf"))
    shelf.docker("volume", "rm", "kept")
    wait_for("removed volumes", lambda: not told(shelf)["removed"])
    assert f"{VOLUMES}/shelf/share" in mounts(shelf)

    shelf.moorage("backend", "rm", "shelf")
    wait_for("the share to be unmounted", lambda: f"{VOLUMES}/shelf/share" not in mounts(shelf))
    assert "" == shelf.exec("find", VOLUMES, "-maxdepth", "1", "-name", "shelf")
