"""The suite of all backends, on disks of this machine; and what becomes of volumes on disks that ail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend_suite import WITHIN, BackendSuite, Place, define, emptied
from tests.filesystems import mounted
from tests.volume_machine import RealMachine, real_machine
from tests.volume_plugin import VolumePlugin, volume_plugin
from tests.waiting import until
from volplugin import changes

SIZED = {"btrfs": "btrfs quota group", "ext4": None, "xfs": None}
WHY = {"ext4": "project quota: ext4 on /dev/loop", "xfs": "project quota: xfs on /dev/loop"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMachine]:
    with real_machine(tmp_path_factory.mktemp("disks")) as made:
        yield made


@pytest.fixture
def plugin(machine: RealMachine) -> Iterator[VolumePlugin]:
    with volume_plugin(machine=machine, backends=()) as made:
        yield made


@pytest.fixture(scope="module", params=["btrfs", "ext4", "xfs"])
def disk(
    request: pytest.FixtureRequest, machine: RealMachine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A file system of one kind, for all tests."""
    with mounted(machine, request.param, tmp_path_factory.mktemp("fs") / request.param) as at:
        if request.param == "btrfs":
            machine.run("btrfs", "quota", "enable", str(at))
        yield at


@pytest.fixture
def place(machine: RealMachine, plugin: VolumePlugin, disk: Path) -> Iterator[Place]:
    define(plugin, disk.name, str(disk))
    yield Place(plugin, disk.name, machine.run, SIZED[disk.name], WHY.get(disk.name, ""))
    emptied(plugin)
    plugin.stop()
    machine.run("umount", "-l", str(machine.directory / disk.name / "share"), check=False)
    machine.run("find", str(disk), "-mindepth", "1", "!", "-name", "lost+found", "-delete", check=False)


class TestLocalBackends(BackendSuite):
    """The suite."""


def test_each_volume_on_btrfs_is_a_subvolume_which_goes_at_once(place: Place) -> None:
    if place.backend != "btrfs":
        return
    made = place.create("data")

    there = place.plugin.mount("data", 1)

    assert "256\n" == place.run("stat", "-c", "%i", there)
    place.run("btrfs", "subvolume", "create", f"{there}/inner")
    place.run("touch", f"{there}/inner/file")
    place.plugin.unmount("data", 1)
    place.done(changes.delete_now(place.plugin.store, "data", "a", lambda: 5.0))
    assert place.plugin.records.volumes.get(made.id) is None
    assert [] == place.listing()


def test_a_btrfs_without_quotas_says_how_to_have_them(
    machine: RealMachine, plugin: VolumePlugin, tmp_path: Path
) -> None:
    with mounted(machine, "btrfs", tmp_path / "plain") as at:
        define(plugin, "plain", str(at))

        told = plugin.refused("VolumeDriver.Create", {"Name": "data", "Opts": {"size": "20M"}})

        assert f"quotas are not enabled there: btrfs quota enable {at}" in told
        plugin.stop()


@pytest.mark.parametrize(
    ("ail", "told"),
    [
        (
            "mount -t tmpfs -o nr_inodes=2 none {at}",
            "No space left on device: there is no space left; remove something",
        ),
        ("mount -t tmpfs none {at} && mount -o remount,ro {at}", "is read-only: mount it read-write"),
    ],
)
def test_a_disk_that_ails_fails_the_create_with_the_reason_and_keeps_nothing(
    machine: RealMachine, plugin: VolumePlugin, tmp_path: Path, ail: str, told: str
) -> None:
    at = tmp_path / "ill"
    at.mkdir()
    machine.run("sh", "-c", ail.format(at=at))
    define(plugin, "ill", str(at))

    assert told in plugin.refused("VolumeDriver.Create", {"Name": "data", "Opts": {}})

    machine.run("sh", "-c", f"mount -o remount,rw,nr_inodes=100 {at}")
    until(lambda: [] == list(plugin.records.volumes), within=WITHIN)
    assert "" == machine.run("find", str(at), "-mindepth", "2")
    plugin.stop()


def test_a_disk_where_root_may_not_write_says_so(machine: RealMachine, plugin: VolumePlugin, tmp_path: Path) -> None:
    with mounted(machine, "ext4", tmp_path / "fixed") as at:
        machine.run("chattr", "+i", str(at))
        define(plugin, "fixed", str(at))

        told = plugin.refused("VolumeDriver.Create", {"Name": "data", "Opts": {}})

        assert "root may not do it there" in told
        machine.run("chattr", "-i", str(at))
        until(lambda: [] == list(plugin.records.volumes), within=WITHIN)
        plugin.stop()
