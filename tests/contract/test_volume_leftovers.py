"""What is left on a host of backends that were taken from the records while the daemon was away."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from records.errors import Unavailable
from records.memory import MemoryStore
from records.snapshot import Records
from records.writes import Delete
from tests.volume_machine import FakeMachine, RealMachine, real_machine
from tests.volume_plugin import BACKEND, VolumePlugin, volume_plugin
from tests.waiting import until
from volplugin import former, leftovers


class Unread(MemoryStore):
    """Records that may not have been read yet."""

    read = True

    def snapshot(self) -> Records:
        if not self.read:
            raise Unavailable("records unavailable: they are being read")
        return super().snapshot()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(former, "AGAIN", 0.05)
    monkeypatch.setattr(leftovers, "AGAIN", 0.05)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[RealMachine]:
    with real_machine(tmp_path) as made:
        yield made


@pytest.fixture
def host(machine: RealMachine) -> Iterator[VolumePlugin]:
    """A host with a mounted volume of a backend that was forgotten while the daemon was away."""
    with volume_plugin(store=Unread(), machine=machine) as made:
        left(made)
        yield made


def left(host: VolumePlugin) -> None:
    """Mount a volume, stop the daemon, and take all records of the backend away."""
    host.create("data")
    host.mount("data", 1)
    host.stop()
    records = host.records
    for kind in (records.holders, records.volumes, records.backends):
        host.store.commit([Delete(record) for record in kind])
    host.start()


def mounted(host: VolumePlugin) -> list[str]:
    """Return all that is mounted below the directory of mount points, the share too."""
    return [m.target for m in host.machine.mounts() if m.target.startswith(f"{host.machine.directory}/")]


def test_what_is_mounted_of_a_former_backend_is_unmounted_and_its_directories_removed(
    host: VolumePlugin, tmp_path: Path
) -> None:
    assert 2 == len(mounted(host))

    host.leftovers.start()

    until(lambda: not (host.machine.directory / BACKEND).exists(), within=20)
    assert [] == mounted(host)
    assert ["data"] == [path.name.partition("-")[0] for path in (tmp_path / BACKEND / "default").glob("data-*")]


def test_directories_of_an_earlier_boot_go_too(host: VolumePlugin, machine: RealMachine) -> None:
    for target in mounted(host):
        machine.run("umount", target)

    host.leftovers.start()

    until(lambda: not (machine.directory / BACKEND).exists(), within=20)


def test_what_a_container_has_stays_until_it_has_ended(
    host: VolumePlugin, machine: RealMachine, tmp_path: Path
) -> None:
    (volume,) = host.mounted()
    (tmp_path / "data").mkdir()
    script = f"mount --bind {volume} {tmp_path}/data && umount {volume} && echo ready && exec cat"
    inside = ["nsenter", f"--mount=/proc/{machine.init}/ns/mnt", "unshare", "--mount", "sh", "-c", script]
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as container:
        assert container.stdin is not None
        assert container.stdout is not None
        assert b"ready\n" == container.stdout.readline()
        (one,) = host.leftovers.found()

        assert not one.sweep()
        assert [volume] == host.mounted()

        container.stdin.close()
        container.wait()

    assert one.sweep()
    assert [] == mounted(host)
    assert not (machine.directory / BACKEND).exists()


def test_files_and_directories_of_others_are_never_removed(host: VolumePlugin) -> None:
    top = host.machine.directory
    written = top / BACKEND / str(uuid.uuid4())  # somebody wrote where a volume is mounted, while it was not
    written.mkdir()
    (written / "file").write_text("kept")
    (top / BACKEND / "mine").mkdir()
    (top / "note").write_text("kept")
    (one,) = host.leftovers.found()

    assert one.sweep()

    assert [] == mounted(host)
    assert {"mine", written.name} == {path.name for path in (top / BACKEND).iterdir()}
    assert "kept" == (written / "file").read_text() == (top / "note").read_text()


def test_before_the_records_were_read_nothing_is_taken_away(host: VolumePlugin) -> None:
    before = mounted(host)
    assert isinstance(host.store, Unread)
    host.store.read = False
    with pytest.raises(Unavailable):
        host.leftovers.found()
    host.leftovers.start()

    assert before == mounted(host)

    host.store.read = True
    until(lambda: [] == mounted(host), within=20)


def test_a_backend_of_the_same_name_that_is_there_again_keeps_what_is_left() -> None:
    with volume_plugin() as host:
        left(host)
        (one,) = host.leftovers.found()
        host.backend()  # its keeper takes volumes away that nobody holds, and the share when it was idle for a while

        assert one.sweep()
        assert f"{host.machine.directory}/{BACKEND}/share" in mounted(host)
        assert [] == host.leftovers.found()


def test_a_dead_server_holds_nobody_up_and_is_come_back_to() -> None:
    machine = FakeMachine()
    with volume_plugin(machine=machine) as host:
        left(host)
        machine.hung.add(BACKEND)
        host.leftovers.start()
        until(lambda: (BACKEND, "unmount") in machine.calls)
        host.backend("other")
        host.create("more", backend="other")

        there = host.mount("more", 2)

        assert 2 == len([target for target in mounted(host) if f"/{BACKEND}/" in target])

        machine.hung.clear()
        until(lambda: [there] == [target for target in mounted(host) if not target.endswith("/other/share")])


def test_a_backend_that_is_taken_back_while_the_daemon_runs_goes_the_same_way() -> None:
    with volume_plugin() as host:
        host.create("data")
        host.mount("data", 1)
        host.unmount("data", 1)
        (backend,) = host.records.backends
        for kind in (host.records.holders, host.records.volumes):
            host.store.commit([Delete(record) for record in kind])

        assert 1 == len(mounted(host))

        host.drop(backend)

        until(lambda: [] == mounted(host))
