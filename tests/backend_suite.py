"""What any backend must do with volumes: one suite, which the tests of each kind fill with places of their own."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping

import pytest

from daemonkit.errors import Failed
from records.model import Backend, BackendId, Volume, VolumeState
from records.writes import Insert
from tests.volume_plugin import VolumePlugin
from tests.waiting import until
from volplugin import changes, progress
from volplugin.imports import import_directory

MB = 2**20
WITHIN = 30.0  # seconds for what a steward does
ODD = r"""
import os, sys
os.chdir(sys.argv[1])
open(b"\xff\n not utf-8", "w").close()
os.symlink(sys.argv[2], "link")
os.mkfifo("fifo")
os.mkdir("closed", 0)
for _ in range(int(sys.argv[3])):
    os.mkdir("d")
    os.chdir("d")
"""

VARIED = r"""
import os, sys
os.chdir(sys.argv[1])
with open("sparse", "wb") as file:
    file.write(b"head")
    file.truncate(2**26)
os.chown("sparse", 7, 8)
os.chmod("sparse", 0o4640)
os.setxattr("sparse", "user.kept", b"yes")
os.symlink("nowhere", "link")
os.link("sparse", "again")
os.utime("sparse", ns=(1, 2))
"""
TOLD = r"""
import os, sys
os.chdir(sys.argv[1])
for name in [".", *sorted(os.listdir())]:
    s = os.lstat(name)
    kept = [(key, os.getxattr(name, key)) for key in os.listxattr(name, follow_symlinks=False) if key[:5] == "user."]
    told = [s.st_uid, s.st_gid, oct(s.st_mode)[2:], s.st_nlink, s.st_mtime_ns]
    holes = ["holes", s.st_size] if s.st_blocks * 512 < s.st_size and name == "sparse" else []
    print(name, *told, kept, *holes)
"""


@dataclasses.dataclass(frozen=True)
class Place:
    """A backend, a host that has it, and a way to run programs there."""

    plugin: VolumePlugin
    backend: str
    run: Callable[..., str]  # argv; with check=False a failure is part of what is returned
    sized: str | None  # what enforces sizes there by itself; None: nothing, for which there is a reason
    reason: str = ""
    over: int = 0  # MB that a container may write of those beyond a size
    depth: int = 300  # of directories in each other
    image: Mapping[str, str] = dataclasses.field(default_factory=dict)  # what an image needs besides: access=host

    def create(self, name: str, **options: str) -> Volume:
        self.plugin.create(name, backend=self.backend, **{key.replace("_", "-"): text for key, text in options.items()})
        return self.plugin.volume(name)

    def refused(self, name: str, **options: str) -> str:
        given = {"backend": self.backend, **{key.replace("_", "-"): text for key, text in options.items()}}
        return self.plugin.refused("VolumeDriver.Create", {"Name": name, "Opts": given})

    def done(self, volume: Volume) -> Volume | None:
        return progress.outcome(self.plugin.store, volume.id, WITHIN)

    def listing(self) -> list[str]:
        """Return all that volumes have on the backend, seen through the share; tenants' own directories left out."""
        share = self.plugin.machine.directory / self.backend / "share"
        found = self.run("find", str(share), "-mindepth", "2", "-printf", "%P\n").splitlines()
        return sorted(path for path in found if not path.startswith("lost+found"))

    def share(self) -> str:
        return str(self.plugin.machine.directory / self.backend / "share")


def define(plugin: VolumePlugin, name: str, source: str, kind: str = "local", **options: str) -> None:
    """Let the operator define a backend."""
    made = Backend(id=BackendId(uuid.uuid4()), name=name, kind=kind, source=source, options=options)
    plugin.store.commit([Insert(made)])


def emptied(plugin: VolumePlugin) -> None:
    """Delete all volumes."""
    for volume in plugin.records.volumes:
        if str(volume.retain) != "keep":
            changes.delete_now(
                plugin.store, str(volume.id) if volume.removed else volume.name, plugin.host, lambda: 5.0
            )
    until(lambda: all(str(volume.retain) == "keep" for volume in plugin.records.volumes), within=WITHIN)


class BackendSuite:
    """Each test finds a backend `place` without volumes."""

    def test_what_one_container_writes_another_one_reads(self, place: Place) -> None:
        place.create("data", uid="5", gid="6", mode="2770")
        there = place.plugin.mount("data", 1)
        assert "5 6 2770" == place.run("stat", "-c", "%u %g %a", there).strip()
        place.run("sh", "-c", f"echo kept > {there}/file")
        place.plugin.unmount("data", 1)

        assert "kept\n" == place.run("cat", f"{place.plugin.mount('data', 2)}/file")

        place.plugin.unmount("data", 2)

    def test_a_removed_volume_comes_back_with_its_data(self, place: Place) -> None:
        made = place.create("data")
        place.run("sh", "-c", f"echo kept > {place.plugin.mount('data', 1)}/file")
        place.plugin.unmount("data", 1)

        place.plugin.remove("data")
        gone = place.done(made)

        assert gone is not None
        assert VolumeState.TRASHED is gone.state
        assert {made.path} & set(place.listing()) == set()

        place.done(changes.restore(place.plugin.store, "data", place.plugin.host))

        assert "kept\n" == place.run("cat", f"{place.plugin.mount('data', 2)}/file")
        place.plugin.unmount("data", 2)

    def test_what_comes_back_is_as_it_was_with_owners_permissions_attributes_and_holes(self, place: Place) -> None:
        made = place.create("data", uid="1000", gid="1001", mode="2750")
        there = place.plugin.mount("data", 1)
        place.run("python3", "-c", VARIED, there)
        before = place.run("python3", "-c", TOLD, there)
        place.plugin.unmount("data", 1)
        place.plugin.remove("data")
        place.done(made)

        place.done(changes.restore(place.plugin.store, "data", place.plugin.host))

        there = place.plugin.mount("data", 2)
        assert before == place.run("python3", "-c", TOLD, there)
        assert all(one in before for one in ("1000 1001 42750", "7 8 104640", "user.kept", "holes")), before
        place.plugin.unmount("data", 2)

    def test_a_container_that_is_not_root_writes_to_a_volume_of_its_own(self, place: Place) -> None:
        place.create("data", uid="1000")
        there = place.plugin.mount("data", 1)

        assert "755" == place.run("stat", "-c", "%a", there).strip()
        user = ("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups")
        place.run("sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", there, *user, "touch", "file")

        assert "1000" == place.run("stat", "-c", "%u", f"{there}/file").strip()
        place.plugin.unmount("data", 1)

    @pytest.mark.parametrize("mode", [None, "image"])
    def test_deleted_data_is_gone_whatever_was_in_it(self, place: Place, mode: str | None) -> None:
        made = place.create("data", **({} if mode is None else {"size": "24M", "size_mode": mode, **place.image}))
        there = place.plugin.mount("data", 1)
        place.run("python3", "-c", ODD, there, place.share(), str(place.depth))
        place.plugin.unmount("data", 1)

        assert place.done(changes.delete_now(place.plugin.store, "data", place.plugin.host, lambda: 5.0)) is None

        assert [] == place.listing()
        assert place.plugin.records.volumes.get(made.id) is None

    def test_kept_data_stays_and_can_be_a_volume_again(self, place: Place) -> None:
        made = place.create("data", retain="keep")
        place.run("sh", "-c", f"echo kept > {place.plugin.mount('data', 1)}/file")
        place.plugin.unmount("data", 1)
        place.plugin.remove("data")
        assert place.done(made) is None

        again = self._imported(place, "again", made.path)
        assert VolumeState.READY is place.done(again).state  # type: ignore[union-attr]  # it is there

        assert "kept\n" == place.run("cat", f"{place.plugin.mount('again', 1)}/file")
        place.plugin.unmount("again", 1)

    def test_a_size_is_enforced_or_refused_with_the_reason(self, place: Place) -> None:
        if place.sized is None:
            told = place.refused("data", size="20M")
            assert place.reason in told
            assert "size-mode=image" in told
            until(lambda: [] == list(place.plugin.records.volumes))
            assert [] == place.listing()
        else:
            made = place.create("data", size="20M")
            assert (place.sized, 20 * MB) == (made.size_by, made.sized)
            self._is_bounded(place, "data", 20, "Disk quota exceeded")
            place.done(changes.resize(place.plugin.store, "data", 60 * MB, place.plugin.host))
            self._is_bounded(place, "data", 60, "Disk quota exceeded")

    def test_an_image_bounds_a_volume_and_grows(self, place: Place) -> None:
        made = place.create("data", size="20M", size_mode="image", mode="0750", uid="7", **place.image)
        assert "image" == made.size_by
        there = place.plugin.mount("data", 1)
        assert ("7 750", "") == (place.run("stat", "-c", "%u %a", there).strip(), place.run("ls", there))
        place.plugin.unmount("data", 1)
        self._is_bounded(place, "data", 20, "No space left on device")

        place.done(changes.resize(place.plugin.store, "data", 60 * MB, place.plugin.host))

        self._is_bounded(place, "data", 60, "No space left on device")

    def test_a_size_that_is_only_reported_bounds_nothing(self, place: Place) -> None:
        assert "report" == place.create("data", size="2M", size_mode="report").size_by

        there = place.plugin.mount("data", 1)
        place.run("dd", "if=/dev/zero", f"of={there}/file", "bs=1M", "count=4")

        assert 2 * MB == place.plugin.get("data")["Status"]["Size"]
        place.plugin.unmount("data", 1)

    def test_data_that_somebody_deleted_by_hand_stops_no_removal(self, place: Place) -> None:
        made = place.create("data")
        place.plugin.mount("data", 1)  # so that the share is there
        place.plugin.unmount("data", 1)
        place.run("rmdir", f"{place.share()}/{made.path}")

        assert "its data is missing" in place.plugin.refused("VolumeDriver.Mount", {"Name": "data", "ID": "a" * 64})

        place.plugin.remove("data")
        assert place.done(made) is None

    def test_a_directory_that_was_there_becomes_a_volume_as_it_is(self, place: Place) -> None:
        place.create("other")
        place.run("sh", "-c", f"mkdir -m 0751 -p {place.share()}/old/data && echo old > {place.share()}/old/data/file")

        made = place.done(self._imported(place, "data", "old/data"))

        there = place.plugin.mount("data", 1)
        assert ("old\n", "751") == (place.run("cat", f"{there}/file"), place.run("stat", "-c", "%a", there).strip())
        place.plugin.unmount("data", 1)
        place.plugin.remove("data")
        assert made is not None
        assert place.done(made) is None
        assert {"old/data", "old/data/file"} <= set(place.listing())
        place.run("rm", "-r", f"{place.share()}/old")

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            ("true", "there is no old/data on the backend"),
            ("mkdir -p old outside && ln -s ../outside old/data", "leads out of the backend through a link"),
            ("mkdir -p old && touch old/data", "old/data is not a directory"),
        ],
    )
    def test_what_cannot_be_imported_is_refused_and_left_alone(self, place: Place, make: str, told: str) -> None:
        place.create("other")
        place.run("sh", "-c", f"cd {place.share()} && {make}")
        before = place.listing()

        made = self._imported(place, "data", "old/data")

        with pytest.raises(Failed, match=told):
            place.done(made)
        place.plugin.remove("data")
        assert place.done(made) is None
        assert before == place.listing()
        place.run("rm", "-rf", f"{place.share()}/old", f"{place.share()}/outside")

    def _imported(self, place: Place, name: str, path: str) -> Volume:
        store, host = place.plugin.store, place.plugin.host
        return import_directory(
            store, name, place.backend, path, {}, host=host, shared=lambda _: False, now=lambda: 5.0
        )

    def _is_bounded(self, place: Place, name: str, size: int, told: str) -> None:
        """Write more than `size` MB, which ends with an error, after most of it."""
        there = place.plugin.mount(name, 1)
        write = ("dd", "if=/dev/zero", f"of={there}/file", "bs=1M", f"count={size + 20}", "conv=fsync")
        assert told in place.run(*write, check=False)
        written = int(place.run("stat", "-c", "%s", f"{there}/file"))
        assert 0.7 * size * MB < written <= (size + place.over) * MB, f"{written / MB:.1f}M of {size}M"
        place.run("rm", f"{there}/file")
        place.plugin.unmount(name, 1)
