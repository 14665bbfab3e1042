"""What stops a process: the file of its cgroup, on every kind of cgroups, or a signal."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until
from volplugin.leasing.freezer import Freezer, switch_of
from volplugin.mountinfo import Mounted


def cgroups(target: str, *, v2: bool = False, root: str = "/") -> Mounted:
    if v2:
        return Mounted("0:30", root, target, "cgroup2", "cgroup", frozenset({"rw"}))
    return Mounted("0:31", root, target, "cgroup", "cgroup", frozenset({"rw", "freezer"}))


V1 = cgroups("/sys/fs/cgroup/freezer")
V2 = cgroups("/sys/fs/cgroup", v2=True)
HYBRID = cgroups("/sys/fs/cgroup/unified", v2=True)
HYBRID_GROUPS = "9:freezer:/docker/c1\n8:cpu,cpuacct:/docker/c1\n0::/docker/c2\n"


@pytest.mark.parametrize(
    ("groups", "table", "expected"),
    [
        (HYBRID_GROUPS, [V1], "/sys/fs/cgroup/freezer/docker/c1/freezer.state"),
        (HYBRID_GROUPS, [HYBRID, V1], "/sys/fs/cgroup/freezer/docker/c1/freezer.state"),
        ("0::/system.slice/docker-c1.scope\n", [V2], "/sys/fs/cgroup/system.slice/docker-c1.scope/cgroup.freeze"),
        ("0::/outer/docker/c1\n", [cgroups("/cg", v2=True, root="/outer")], "/cg/docker/c1/cgroup.freeze"),
        ("0::/\n", [V2], None),  # the root of all cannot be stopped
        ("9:freezer:/\n", [V1], None),
        ("0::/docker/c1\n", [], None),
        ("0::/elsewhere/c1\n", [cgroups("/cg", v2=True, root="/outer")], None),
    ],
)
def test_the_file_that_stops_a_process_is_that_of_its_cgroup(
    groups: str, table: list[Mounted], expected: str | None
) -> None:
    assert (None if expected is None else Path(expected)) == switch_of(groups, table)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "100"]) as process:
        yield process
        process.kill()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_process_of_our_own_cgroup_is_stopped_alone_and_goes_on(
    process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    freezer = Freezer(tmp_path / "frozen")

    assert {str(process.pid)} == freezer.stop([process.pid])
    until(lambda: state(process.pid) == "T")

    freezer.go_on(freezer.stopped)
    until(lambda: state(process.pid) in "SR")
    assert "" == (tmp_path / "frozen").read_text()


def test_the_next_guard_knows_what_was_stopped(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    Freezer(tmp_path / "frozen").stop([process.pid])

    freezer = Freezer(tmp_path / "frozen")

    assert {str(process.pid)} == freezer.stopped
    freezer.go_on(freezer.stopped)
    until(lambda: state(process.pid) in "SR")


def test_what_is_stopped_can_be_killed(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    freezer = Freezer(tmp_path / "frozen")
    freezer.stop([process.pid])

    freezer.kill([process.pid])

    assert -9 == process.wait(5)


def test_what_has_ended_already_is_no_fault(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait(5)
    freezer = Freezer(tmp_path / "frozen")

    freezer.stop([process.pid])
    freezer.kill([process.pid])
    freezer.go_on(freezer.stopped)
