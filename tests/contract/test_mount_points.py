"""What is mounted is never deleted through: mount points are unmounted and removed empty, whatever else fails."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.volume_machine import RealMachine, real_machine
from tests.volume_plugin import BACKEND, VolumePlugin, volume_plugin
from tests.waiting import until
from volplugin import changes

WITHIN = 30.0  # seconds


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[RealMachine]:
    with real_machine(tmp_path) as made:
        yield made


@pytest.fixture
def host(machine: RealMachine) -> Iterator[VolumePlugin]:
    """A host with volume `data`, in which there is a file."""
    with volume_plugin(machine=machine) as made:
        made.create("data")
        machine.run("sh", "-c", f"echo kept > {data(made)}/file")
        yield made


def data(host: VolumePlugin) -> Path:
    """Return the volume's directory at its backend."""
    return Path(next(iter(host.records.backends)).source) / host.volume("data").path


def test_what_cannot_be_unmounted_keeps_its_data_and_is_unmounted_later(
    host: VolumePlugin, machine: RealMachine
) -> None:
    there = host.mount("data", 1)
    command = machine.inside("sh", "-c", f"cd {there} && echo in && cat")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as busy:
        assert busy.stdout is not None
        assert "in\n" == busy.stdout.readline()
        host.unmount("data", 1)

        assert [there] == host.mounted()
        assert "kept\n" == machine.run("cat", f"{there}/file")

        busy.communicate()
    until(lambda: [] == host.mounted(), WITHIN)
    assert "kept\n" == machine.run("cat", f"{data(host)}/file")


def test_what_somebody_wrote_below_a_mount_point_stays(host: VolumePlugin, machine: RealMachine) -> None:
    there = host.mount("data", 1)
    host.unmount("data", 1)
    machine.run("sh", "-c", f"mkdir -p {there} && echo stray > {there}/file")

    assert "kept\n" == machine.run("cat", f"{host.mount('data', 1)}/file")

    host.unmount("data", 1)
    assert [] == host.mounted()
    assert "stray\n" == machine.run("cat", f"{there}/file")
    assert "kept\n" == machine.run("cat", f"{data(host)}/file")


def test_what_is_mounted_within_a_volume_is_not_deleted_with_it(host: VolumePlugin, machine: RealMachine) -> None:
    host.mount("data", 1)  # so that the share is there
    host.unmount("data", 1)
    volume = host.volume("data")
    inner = machine.directory / BACKEND / "share" / volume.path / "inner"
    machine.run("sh", "-c", f"mkdir {inner} && mount -t tmpfs none {inner} && echo other > {inner}/file")

    changes.delete_now(host.store, "data", host.host, lambda: 5.0)

    until(lambda: "is a mount point, of tmpfs: unmount it" in told(host), WITHIN)
    assert str(inner) in told(host)
    assert "other\n" == machine.run("cat", f"{inner}/file")
    assert "kept\n" == machine.run("cat", f"{inner.parent}/file")
    machine.run("umount", str(inner))
    until(lambda: host.records.volumes.get(volume.id) is None, WITHIN)
    assert not machine.look(str(inner.parent))


def told(host: VolumePlugin) -> str:
    """Return what stands in the way of the volume."""
    return " ".join(volume.problem or "" for volume in host.records.volumes)
