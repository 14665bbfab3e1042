import uuid

import pytest

from records.model import HostId, Lease, LeaseId, VolumeId
from volplugin.leasing.terms import FREEZE, KILL, Life, Observer, Step, bound, step

LEASE = Lease(
    id=LeaseId(uuid.uuid4()), volume=VolumeId(uuid.uuid4()), host=HostId(uuid.uuid4()), epoch=2, renewals=7, seconds=30
)
RENEWED = Lease(id=LEASE.id, volume=LEASE.volume, host=LEASE.host, epoch=2, renewals=8, seconds=30)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, Step.GO_ON),
        (14.9, Step.GO_ON),
        (15, Step.FREEZE),
        (19.9, Step.FREEZE),
        (20, Step.KILL),
        (1e9, Step.KILL),
        (-1, Step.FREEZE),  # the clock was set back
    ],
)
def test_containers_freeze_after_half_of_the_lease_time_and_end_after_two_thirds(age: float, expected: Step) -> None:
    assert expected == step(1000.0, 30, 1000.0 + age)


def test_others_wait_longer_than_the_holder_has() -> None:
    assert FREEZE < KILL < 1 < bound(1)


def test_of_a_lease_seen_for_the_first_time_nothing_is_known() -> None:
    assert Life.UNKNOWN == Observer().life(LEASE, 100.0)


def test_a_lease_that_was_seen_to_be_renewed_is_alive() -> None:
    observer = Observer()
    observer.look(LEASE, 100.0)

    assert Life.ALIVE == observer.life(RENEWED, 105.0)
    assert Life.ALIVE == observer.life(RENEWED, 117.0)


def test_a_lease_that_is_not_renewed_falls_silent_and_then_expires() -> None:
    observer = Observer()
    observer.look(LEASE, 100.0)

    assert Life.SILENT == observer.life(LEASE, 112.6)
    assert 18.0 == pytest.approx(observer.left(LEASE, 112.6))
    assert Life.SILENT == observer.life(LEASE, 130.5)
    assert Life.EXPIRED == observer.life(LEASE, 130.7)


def test_a_renewal_that_comes_late_counts_from_when_it_was_seen() -> None:
    observer = Observer()
    observer.look(LEASE, 100.0)

    assert Life.ALIVE == observer.life(RENEWED, 130.0)
    assert Life.SILENT == observer.life(RENEWED, 160.0)


def test_a_clock_that_was_set_back_begins_the_wait_anew() -> None:
    observer = Observer()
    observer.look(LEASE, 100.0)

    assert Life.UNKNOWN == observer.life(LEASE, 10.0)
    assert Life.SILENT == observer.life(LEASE, 40.5)
    assert Life.EXPIRED == observer.life(LEASE, 40.7)


def test_what_is_gone_from_the_records_is_forgotten() -> None:
    observer = Observer()
    observer.look(LEASE, 100.0)

    observer.keep(set())

    assert Life.UNKNOWN == observer.life(LEASE, 200.0)
