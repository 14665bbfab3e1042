"""Against a `gluster` of ours; that the real one does it, a system test shows."""

from pathlib import Path

import pytest

from volplugin.backends.gluster_quota import Quota
from volplugin.backends.kind import BackendError, Definition

BACKEND = Definition(name="gl", kind="glusterfs", source="g1,g2:/v0/docker")
ASKED = 'echo "$@" >> "$0.asked"'


@pytest.fixture
def gluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `gluster`, for tests to write; what it was asked is in `gluster.asked`."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "gluster"


def becomes(gluster: Path, script: str) -> None:
    gluster.write_text(f"#!/bin/sh\n{ASKED}\n{script}\n")
    gluster.chmod(0o755)


def test_a_host_without_the_pools_daemon_refuses_and_says_who_can(gluster: Path, tmp_path: Path) -> None:
    becomes(gluster, "echo 'Connection failed. Please check if gluster daemon is operational.'; exit 1")

    told = Quota().refusal(BACKEND, tmp_path)

    assert told is not None
    assert "this host is none" in told
    assert "gluster volume quota v0 limit-usage /docker/DIRECTORY SIZE" in told


def test_a_volume_whose_quota_is_off_refuses_and_says_how_to_switch_it_on(gluster: Path, tmp_path: Path) -> None:
    becomes(gluster, "echo 'Option Value'; echo 'features.quota off'")

    assert "quota is off: switch it on (gluster volume quota v0 enable)" == Quota().refusal(BACKEND, tmp_path)


def test_a_volume_whose_quota_is_on_can_be_limited(gluster: Path, tmp_path: Path) -> None:
    becomes(gluster, "echo 'Option Value'; echo 'features.quota on'")

    assert Quota().refusal(BACKEND, tmp_path) is None
    assert "--mode=script volume get v0 features.quota\n" == gluster.with_suffix(".asked").read_text()


def test_a_quota_that_is_not_set_is_an_error_in_the_words_of_gluster(gluster: Path, tmp_path: Path) -> None:
    becomes(gluster, "echo 'quota command failed : no such directory' >&2; exit 1")

    with pytest.raises(BackendError, match="no such directory"):
        Quota().put(BACKEND, tmp_path, "t/sized", 2**20)
    asked = gluster.with_suffix(".asked").read_text()
    assert "--mode=script volume quota v0 limit-usage /docker/t/sized 1048576\n" == asked


def test_a_quota_that_the_share_does_not_show_is_an_error(gluster: Path, tmp_path: Path) -> None:
    becomes(gluster, "exit 0")
    (tmp_path / "sized").mkdir()

    with pytest.raises(BackendError, match="is this host of the same pool"):
        Quota().put(BACKEND, tmp_path, "sized", 2**20)


def test_what_shows_no_quota_is_neither_lifted_nor_measured(gluster: Path, tmp_path: Path) -> None:
    becomes(gluster, "exit 1")
    (tmp_path / "free").mkdir()

    Quota().lift(BACKEND, tmp_path, "free")

    assert Quota().used(BACKEND, tmp_path, "free") is None
    assert not gluster.with_suffix(".asked").exists()
