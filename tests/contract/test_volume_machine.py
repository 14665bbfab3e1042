"""The volume plugin on a machine of dictionaries and on a real one: what the tests rely on is the same on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.volume_machine import FakeMachine, real_machine
from tests.volume_plugin import VolumePlugin, volume_plugin
from tests.waiting import until


@pytest.fixture(params=["fake", "real"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VolumePlugin]:
    if request.param == "fake":
        with volume_plugin(machine=FakeMachine()) as made:
            yield made
    else:
        with real_machine(tmp_path) as machine, volume_plugin(machine=machine) as made:
            yield made


def test_a_volume_is_made_mounted_unmounted_and_removed(host: VolumePlugin) -> None:
    host.create("data")
    path = f"{next(iter(host.records.backends)).source}/{host.volume('data').path}"

    assert host.machine.look(path)

    there = host.mount("data", 1)

    assert [there] == host.mounted()
    assert there == host.get("data")["Mountpoint"]

    host.unmount("data", 1)

    assert [] == host.mounted()

    host.remove("data")
    until(lambda: not host.machine.look(path))


def test_a_killed_daemon_leaves_what_is_mounted_and_the_next_one_adopts_it(host: VolumePlugin) -> None:
    host.create("data")
    there = host.mount("data", 1)
    before = [m for m in host.machine.mounts() if m.target == there]

    host.restart()

    assert there == host.mount("data", 2)
    assert before == [m for m in host.machine.mounts() if m.target == there]

    host.unmount("data", 1)
    host.unmount("data", 2)

    assert [] == host.mounted()


def test_a_daemon_killed_before_its_first_commit_has_made_nothing(host: VolumePlugin) -> None:
    host.restart(die_at=0)

    host.post("VolumeDriver.Create", {"Name": "data", "Opts": {}})

    assert host.life.ended
    assert [] == list(host.records.volumes)


def test_a_backend_without_its_directory_fails_the_create_with_the_reason(host: VolumePlugin, tmp_path: Path) -> None:
    gone = host.backend("gone")
    if isinstance(host.machine, FakeMachine):
        host.machine.broken["gone"] = f"{gone.source} does not exist: make it: mkdir -p {gone.source}"
    else:
        (tmp_path / "gone").rmdir()

    told = host.refused("VolumeDriver.Create", {"Name": "data", "Opts": {"backend": "gone"}})

    assert f"{gone.source} does not exist: make it: mkdir -p {gone.source}" in told
