"""What the guard does as leases grow old, with processes that are only names."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import pytest

from records.model import VolumeId
from volplugin.leasing import guard as module
from volplugin.leasing.guard import Guard
from volplugin.leasing.table import LOST, Term
from volplugin.mountinfo import Mounted

VOLUME = VolumeId(uuid.uuid4())
TARGET = f"/v/{VOLUME}"


class FakeFreezer:
    def __init__(self) -> None:
        self.stopped: frozenset[str] = frozenset()
        self.killed: list[int] = []

    def stop(self, pids: Iterable[int]) -> set[str]:
        self.stopped |= {str(pid) for pid in pids}
        return set(map(str, pids))

    def kill(self, pids: Iterable[int]) -> None:
        self.killed += pids
        self.stopped -= {str(pid) for pid in pids}

    def go_on(self, switches: Iterable[str]) -> None:
        self.stopped -= set(switches)


@pytest.fixture
def freezer(monkeypatch: pytest.MonkeyPatch) -> FakeFreezer:
    there = Mounted("0:52", "/data", TARGET, "fuse.glusterfs", "g1:/v0")
    monkeypatch.setattr(module.mountinfo, "mounts", lambda: [there])
    monkeypatch.setattr(module, "users", lambda at: [70, 71] if at == there else [])
    return FakeFreezer()


@pytest.fixture
def flushed() -> list[str]:
    return []


@pytest.fixture
def guard(freezer: FakeFreezer, flushed: list[str]) -> Guard:
    return Guard(freezer, flushed.append)  # type: ignore[arg-type]


def terms(confirmed: float) -> dict[VolumeId, Term]:
    return {VOLUME: Term(TARGET, 2, 30, confirmed)}


def test_containers_of_a_renewed_lease_are_left_alone(guard: Guard, freezer: FakeFreezer) -> None:
    guard.look(terms(100), 114)

    assert frozenset() == freezer.stopped


def test_containers_of_one_that_was_not_renewed_stop_and_what_they_wrote_is_flushed_once(
    guard: Guard, freezer: FakeFreezer, flushed: list[str]
) -> None:
    guard.look(terms(100), 115)
    guard.look(terms(100), 115.25)

    assert {"70", "71"} == freezer.stopped
    assert [TARGET] == flushed


def test_they_go_on_when_it_is_renewed(guard: Guard, freezer: FakeFreezer) -> None:
    guard.look(terms(100), 115)
    guard.look(terms(116), 117)

    assert frozenset() == freezer.stopped
    assert [] == freezer.killed


def test_they_are_killed_when_it_is_not(guard: Guard, freezer: FakeFreezer) -> None:
    guard.look(terms(100), 115)
    guard.look(terms(100), 120)

    assert [70, 71] == freezer.killed


def test_a_lease_that_another_host_has_is_too_old_by_every_bound(guard: Guard, freezer: FakeFreezer) -> None:
    guard.look(terms(LOST), 101)

    assert [70, 71] == freezer.killed


def test_a_volume_that_is_mounted_no_more_is_remembered_as_it_was(
    guard: Guard, freezer: FakeFreezer, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.look(terms(100), 101)
    monkeypatch.setattr(module.mountinfo, "mounts", list)

    guard.look(terms(100), 120)

    assert [70, 71] == freezer.killed


def test_what_an_earlier_guard_stopped_goes_on_when_there_are_no_leases(guard: Guard, freezer: FakeFreezer) -> None:
    freezer.stopped = frozenset({"70"})

    guard.look({}, 0)

    assert frozenset() == freezer.stopped
