"""Who sees a volume, by what /proc tells: a tree of files like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from volplugin.mountinfo import Mounted
from volplugin.namespaces import users

THERE = Mounted("0:52", "/default/data-1", "/var/lib/moorage/volumes/gl/1", "fuse.glusterfs", "g1:/v0")
ROOT = "1 0 8:1 / / rw - ext4 /dev/sda1 rw"


def mount(device: str, root: str, target: str) -> str:
    return f"2 1 {device} {root} {target} rw,relatime - fuse.glusterfs g1:/v0 rw"


class Proc:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process("self", "mnt:[1]", ROOT)

    def process(self, pid: str, namespace: str, *lines: str) -> None:
        (self.directory / pid / "ns").mkdir(parents=True)
        (self.directory / pid / "ns" / "mnt").symlink_to(namespace)
        (self.directory / pid / "mountinfo").write_text("\n".join((ROOT, *lines)) + "\n")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


@pytest.mark.parametrize("root", ["/default/data-1", "/default/data-1/sub"])
def test_a_container_that_has_the_volume_or_a_part_of_it_uses_it(proc: Proc, root: str) -> None:
    proc.process("70", "mnt:[7]", mount("0:52", root, "/data"))
    proc.process("71", "mnt:[7]", mount("0:52", root, "/data"))

    assert [70, 71] == sorted(users(THERE, proc.directory))


@pytest.mark.parametrize(
    "line",
    [
        mount("0:53", "/default/data-1", "/data"),  # of another file system
        mount("0:52", "/default/data-10", "/data"),  # another volume
        mount("0:52", "/", "/share"),  # the whole share
        mount("0:52", "/default/data-1", "/var/lib/moorage/volumes/gl/1"),  # a service with a namespace of its own
        mount("0:52", "/default/data-1", "/host/var/lib/moorage/volumes/gl/1"),  # looks at the whole host
    ],
)
def test_who_has_something_else_or_sees_it_as_the_host_does_is_no_user(proc: Proc, line: str) -> None:
    proc.process("70", "mnt:[7]", line)

    assert [] == users(THERE, proc.directory)


def test_processes_of_our_own_namespace_are_no_users(proc: Proc) -> None:
    proc.process("70", "mnt:[1]", mount("0:52", "/default/data-1", "/data"))

    assert [] == users(THERE, proc.directory)


def test_a_process_that_ends_while_one_looks_is_passed_over(proc: Proc) -> None:
    (proc.directory / "69").mkdir()
    proc.process("70", "mnt:[7]", mount("0:52", "/default/data-1", "/data"))

    assert [70] == users(THERE, proc.directory)
