from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from records.model import HostId, Lease, LeaseId, VolumeId
from volplugin.leasing.table import LOST, Term, Terms, read

LEASE = Lease(id=LeaseId(uuid.uuid4()), volume=VolumeId(uuid.uuid4()), host=HostId(uuid.uuid4()), epoch=2, seconds=30)
TERM = Term("/v/data", 2, 30, 100.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "leases.json"


@pytest.fixture
def terms(file: Path) -> Terms:
    made = Terms(file, "b007")
    made.confirm([(LEASE, "/v/data")], 100.0)
    return made


def test_what_is_confirmed_stands_in_the_file(terms: Terms, file: Path) -> None:
    assert {LEASE.volume: TERM} == read(file, "b007") == terms.all()


def test_what_an_earlier_boot_noted_is_void(terms: Terms, file: Path) -> None:
    assert {} == read(file, "another")


def test_a_file_that_is_no_table_is_void(terms: Terms, file: Path) -> None:
    file.write_text("{")

    assert {} == read(file, "b007")


def test_an_answer_that_comes_late_makes_no_lease_older(terms: Terms) -> None:
    terms.confirm([(LEASE, "/v/data")], 90.0)

    assert {LEASE.volume: TERM} == terms.all()


def test_a_lost_lease_is_lost_in_the_file_and_stays_until_it_is_forgotten(terms: Terms, file: Path) -> None:
    terms.lose(LEASE.volume, 2)

    assert LOST == read(file, "b007")[LEASE.volume].confirmed
    terms.forget(LEASE.volume)
    assert {} == read(file, "b007")


@pytest.mark.parametrize("act", [Terms.lose, Terms.forget])
def test_what_became_of_an_older_lease_does_not_concern_a_newer_one(terms: Terms, act: object) -> None:
    act(terms, LEASE.volume, 1)  # type: ignore[operator]

    assert {LEASE.volume: TERM} == terms.all()


def test_each_change_is_told(file: Path) -> None:
    told: list[int] = []
    terms = Terms(file, "b007", lambda: told.append(1))

    terms.confirm([(LEASE, "/v/data")], 100.0)
    terms.forget(LEASE.volume)
    terms.forget(LEASE.volume)

    assert [1, 1] == told
