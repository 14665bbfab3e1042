"""The script that fetches other releases' Docker, with apt replaced, and the lab's choice among them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab import dockers
from lab.command import LabError, run

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("machine")]

SCRIPT = Path(__file__).parents[2] / "lab" / "dockers.sh"
PROGRAMS = {
    "docker.io": ["sbin/dockerd", "sbin/docker-proxy"],
    "containerd": ["bin/containerd", "bin/containerd-shim-runc-v2"],
    "docker-cli": ["bin/docker"],
}
APT = """#!/bin/sh
echo "$*" >> {directory}/log
for word; do case $word in
    indextargets) echo http://deb.example/debian/ ;;
    {fails}) echo "E: it failed"; exit 100 ;;
    download) cp {directory}/*.deb . ;;
    search) echo docker-cli ;;
esac; done
"""
RUNS, TOO_NEW = "echo Docker version 99.1.2, build 0", "echo version GLIBC_9.99 not found >&2; exit 1"


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    """A directory with an apt whose packages hold scripts for programs."""
    return with_apt(tmp_path, dockerd=RUNS)


def with_apt(directory: Path, *, dockerd: str, fails: str = "nothing") -> Path:
    for package, programs in PROGRAMS.items():
        root = directory / package
        shutil.rmtree(root, ignore_errors=True)
        control = root / "DEBIAN" / "control"
        control.parent.mkdir(parents=True)
        control.write_text(
            f"Package: {package}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: test\n"
        )
        for name in programs:
            program(root / "usr" / name, dockerd if name.endswith("dockerd") else RUNS)
        run(["dpkg-deb", "--build", root, directory / f"{package}.deb"])
    for name in ("apt-get", "apt-cache"):
        program(directory / "tools" / name, APT.format(directory=directory, fails=fails).removeprefix("#!/bin/sh\n"))
    return directory


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def fetch(apt: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{apt}/tools:{os.environ['PATH']}"}
    return subprocess.run([SCRIPT, apt / "docker"], env=environment, capture_output=True, text=True, check=False)


def test_each_release_is_fetched_once_and_found_by_its_name_and_version(
    apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = fetch(apt)

    assert done.returncode == 0, done.stderr
    fetched = {path.name for path in (apt / "docker").iterdir()}
    assert fetched == set(dockers.RELEASES) - {dockers.find("").release}
    before = (apt / "log").read_text()
    assert fetch(apt).returncode == 0
    assert before == (apt / "log").read_text()

    monkeypatch.setattr(dockers, "UNPACKED", apt / "docker")
    for name in (*fetched, "99.1.2", "99.1", "99"):
        assert "99.1.2" == dockers.find(name).version
    assert dockers.find("").directory is None
    with pytest.raises(LabError, match=r"there is no Docker 99\.2"):
        dockers.find("99.2")


@pytest.mark.parametrize("step", ["update", "download"])
def test_what_cannot_be_fetched_is_told_and_nothing_half_made_is_taken_for_whole(tmp_path: Path, step: str) -> None:
    done = fetch(with_apt(tmp_path, dockerd=RUNS, fails=step))

    assert done.returncode == 1
    assert "lab/dockers.sh: " in done.stderr
    assert not any((tmp_path / "docker" / release).exists() for release in dockers.RELEASES)
    assert fetch(with_apt(tmp_path, dockerd=RUNS)).returncode == 0


def test_a_docker_that_does_not_run_with_this_machines_library_is_told(tmp_path: Path) -> None:
    done = fetch(with_apt(tmp_path, dockerd=TOO_NEW))

    assert done.returncode == 1
    assert "does not run here, a newer Debian is needed: version GLIBC_9.99 not found" in done.stderr


def test_the_option_of_the_tests_chooses_for_all_labs() -> None:
    code = "from lab.lab import Lab; print(Lab('x').host.release.version)"
    environment = {**os.environ, dockers.CHOSEN: dockers.RELEASES[-1]}

    assert (
        dockers.find(dockers.RELEASES[-1]).version
        == run(["env", *(f"{k}={v}" for k, v in environment.items()), sys.executable, "-c", code]).strip()
    )
    with pytest.raises(LabError, match="there is no Docker 1"):
        dockers.find("1")
