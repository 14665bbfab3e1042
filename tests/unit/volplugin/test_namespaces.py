"""In how many containers a volume is, by a /proc made of files."""

import dataclasses
from pathlib import Path

import pytest

from volplugin.mountinfo import Mounted
from volplugin.namespaces import seen

VOLUME = Mounted("0:57", "/default/data-1", "/var/lib/moorage/volumes/nfs1/4a", "nfs4", "srv:/export")


class Proc:
    """A /proc; each process is in a mount namespace with one mount of interest."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.add("self", "host")

    def add(self, process: str, namespace: str, *mounts: str, source: str = "srv:/export") -> None:
        (self.place / process / "ns").mkdir(parents=True)
        (self.place / process / "ns" / "mnt").symlink_to(f"mnt:[{namespace}]")
        lines = ["1 0 8:1 / / rw - ext4 /dev/sda1 rw", *(f"2 1 {mount} rw - nfs4 {source} rw" for mount in mounts)]
        (self.place / process / "mountinfo").write_text("\n".join(lines) + "\n")

    @property
    def seen(self) -> int:
        return seen(VOLUME, self.place)


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def test_each_container_counts_once_however_many_processes_it_has(proc: Proc) -> None:
    for process, namespace in (("10", "a"), ("11", "a"), ("12", "b")):
        proc.add(process, namespace, "0:57 /default/data-1 /data")
    proc.add("13", "c", "0:57 /default/data-1/below /data")

    assert 3 == proc.seen


@pytest.mark.parametrize(
    "mount",
    [
        "0:58 /default/data-1 /data",  # another file system
        "0:57 /default/data-11 /data",  # another volume
        "0:57 / /share",
        "0:57 /default/data-1 /var/lib/moorage/volumes/nfs1/4a",  # a copy of the host's mounts
        "0:57 /default/data-1 /host/var/lib/moorage/volumes/nfs1/4a",  # of who looks at the whole host
    ],
)
def test_what_is_not_the_volume_in_a_container_does_not_count(proc: Proc, mount: str) -> None:
    proc.add("10", "a", mount)

    assert 0 == proc.seen


def test_what_the_host_itself_has_does_not_count(proc: Proc) -> None:
    proc.add("10", "host", "0:57 /default/data-1 /data")

    assert 0 == proc.seen


def test_a_process_that_ends_meanwhile_hides_no_other(proc: Proc) -> None:
    (proc.place / "9").mkdir()
    proc.add("10", "a", "0:57 /default/data-1 /data")
    (proc.place / "10" / "mountinfo").unlink()
    proc.add("11", "a", "0:57 /default/data-1 /data")
    (proc.place / "version").write_text("no process")

    assert 1 == proc.seen


def test_of_volumes_whose_directory_the_kernel_shows_as_a_source_only_the_right_one_counts(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    for number, path in enumerate(("default/data-1", "default/data-1/below", "default/data-11", "default/other")):
        proc.add(str(10 + number), path, "0:57 / /data", source=f"srv:/export/{path}")
    bound = dataclasses.replace(VOLUME, root="/", source="srv:/export/default/data-1")

    assert 2 == seen(bound, tmp_path)
    assert 2 == seen(VOLUME, tmp_path)  # as it is expected where it is not bound
