"""Who gets a volume that is not shared: two hosts, one set of records, one clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemonkit.errors import Failed, InUse
from records.memory import MemoryStore
from records.model import Lease
from records.writes import Insert
from tests.leases import Member
from tests.volumes import BOOT, backend, ready
from volplugin.leasing.table import read
from volplugin.leasing.terms import Step


class Pair:
    def __init__(self, directory: Path) -> None:
        self.now = 1000.0
        self.store = MemoryStore()
        self.a, self.b = (
            Member(name, self.store, directory / f"{name}.json", lambda: self.now, servers=("192.0.2.7", "192.0.2.8"))
            for name in "ab"
        )
        self.store.commit([Insert(backend("nfs1"))])

    def volume(self, access: str) -> None:
        ready(self.store, "data", access=access)

    def pass_by(self, seconds: float) -> None:
        """Let time pass in which both daemons do their rounds."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 0.5)
            for member in (self.a, self.b):
                member.renewals.look()

    @property
    def lease(self) -> Lease:
        (found,) = self.store.snapshot().leases
        return found


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_a_shared_volume_needs_no_lease(pair: Pair) -> None:
    pair.volume("shared")

    pair.a.mount("data")
    pair.b.mount("data")

    assert [] == list(pair.store.snapshot().leases)


def test_the_first_host_gets_the_lease_and_the_epoch_grows(pair: Pair) -> None:
    pair.volume("host")

    pair.a.mount("data")

    volume = pair.store.snapshot().volumes.one(name="data", removed=0)
    assert volume is not None
    assert (2, 2, 30) == (volume.epoch, pair.lease.epoch, pair.lease.seconds)
    assert pair.a.writes(volume.id)


def test_another_host_is_refused_with_the_name_of_the_holder(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    pair.pass_by(6)

    with pytest.raises(InUse, match="volume data is in use by containers of host a, and has access=host: end them"):
        pair.b.mount("data")


def test_of_a_host_that_was_not_seen_to_renew_yet_one_is_told_to_try_again(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")

    with pytest.raises(Failed, match="lease is held by host a, which renews it or gives it back in a moment; please"):
        pair.b.mount("data")


def test_two_containers_of_one_host_share_what_is_of_the_host(pair: Pair) -> None:
    pair.volume("host")

    pair.a.mount("data", "1" * 64)
    pair.a.mount("data", "2" * 64)

    assert 2 == pair.lease.epoch


def test_what_is_of_one_container_a_second_one_is_refused(pair: Pair) -> None:
    pair.volume("container")
    pair.a.mount("data", "1" * 64)

    with pytest.raises(InUse, match=r"another container of this host since 1970-01-01T00:16:40.00:00 \(mount 1111"):
        pair.a.mount("data", "2" * 64)
    pair.a.mount("data", "1" * 64)  # docker cp


def test_a_lease_that_was_given_back_is_had_at_once_with_the_next_epoch(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    pair.a.unmount("data")

    pair.b.mount("data")

    assert 3 == pair.lease.epoch
    assert {} == pair.a.terms.all()
    assert [] == list(pair.store.snapshot().fences)


def test_a_lease_is_not_given_back_while_the_volume_is_mounted(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    volume = pair.lease.volume
    pair.a.holders.release("data", "c" * 64)  # Docker says so, but it is not unmounted yet

    pair.a.look_round()

    assert 2 == pair.lease.epoch
    assert volume in pair.a.using


def test_a_silent_host_loses_its_lease_after_the_bound_and_is_fenced(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    volume = pair.lease.volume
    pair.pass_by(6)
    pair.a.link.cut()

    pair.pass_by(25)
    assert Step.KILL is pair.a.step(volume)
    with pytest.raises(Failed, match=r"held by host a, which is silent and may hold it for 5 s more; please try again"):
        pair.b.mount("data")
    pair.pass_by(6)
    pair.b.mount("data")

    records = pair.store.snapshot()
    assert 3 == pair.lease.epoch
    assert {("192.0.2.7", 2), ("192.0.2.8", 2)} == {(fence.server, fence.epoch) for fence in records.fences}
    assert ["b"] == [host.name for h in records.holders if (host := records.hosts.get(h.host)) is not None]
    assert pair.b.writes(volume)
    assert not pair.a.writes(volume)


def test_a_host_that_comes_back_ends_what_it_had_and_then_its_fences(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    pair.a.link.cut()
    pair.pass_by(40)
    pair.b.mount("data")

    pair.a.link.heal()
    pair.pass_by(1)
    assert 2 == len(list(pair.store.snapshot().fences))
    pair.a.step(pair.lease.volume)  # kills
    pair.a.look_round()

    assert [] == list(pair.store.snapshot().fences)
    assert 3 == pair.lease.epoch


def test_who_is_fenced_gets_no_new_lease(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    pair.a.link.cut()
    pair.pass_by(40)
    pair.b.mount("data")
    pair.b.unmount("data")
    pair.a.link.heal()

    with pytest.raises(Failed, match="this host lost its lease, and has not ended yet what used it"):
        pair.a.mount("data")


def test_a_partition_that_heals_before_the_bound_costs_a_rest_and_no_more(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    volume = pair.lease.volume
    pair.a.link.cut()
    pair.pass_by(16)
    assert Step.FREEZE is pair.a.step(volume)

    pair.a.link.heal()
    pair.pass_by(1)

    assert Step.GO_ON is pair.a.step(volume)
    assert pair.a.writes(volume)


def test_a_daemon_that_starts_again_goes_on_with_the_leases_it_noted(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    before = pair.a.terms.all()

    pair.a.start()

    assert before == pair.a.terms.all()


def test_all_leases_are_renewed_in_one_commit_six_times_in_a_lease_time(pair: Pair) -> None:
    for name in ("data", "more"):
        ready(pair.store, name, access="host")
        pair.a.mount(name)
    commits: list[int] = []
    pair.store.watch(lambda changes: commits.append(len(changes)))

    pair.pass_by(30)

    assert [2] * 6 == commits


def test_a_lease_time_that_is_configured_anew_holds_from_the_next_renewal_on(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    pair.a.seconds = 600
    pair.a.start()

    pair.pass_by(0.5)

    assert 600 == pair.lease.seconds == pair.a.terms.all()[pair.lease.volume].seconds
    pair.pass_by(200)
    assert pair.a.writes(pair.lease.volume)


def test_a_renewal_that_cannot_be_noted_is_tried_again(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    noted = pair.a.file.with_suffix(".new")
    noted.mkdir()

    pair.pass_by(16)

    assert 1000.0 == read(pair.a.file, BOOT)[pair.lease.volume].confirmed
    noted.rmdir()
    pair.pass_by(0.5)
    assert pair.now == read(pair.a.file, BOOT)[pair.lease.volume].confirmed


def test_who_has_no_leases_writes_nothing(pair: Pair) -> None:
    commits: list[int] = []
    pair.store.watch(lambda changes: commits.append(len(changes)))

    pair.pass_by(60)

    assert [] == commits


def test_a_renewal_whose_answer_was_lost_does_not_count_for_its_holder_but_for_others(pair: Pair) -> None:
    pair.volume("host")
    pair.a.mount("data")
    volume = pair.lease.volume
    pair.a.link.deaf = True

    pair.pass_by(21)

    assert Step.KILL is pair.a.step(volume)
    with pytest.raises(InUse):
        pair.b.mount("data")


def test_the_time_that_counts_is_the_one_in_the_record(pair: Pair) -> None:
    pair.volume("host")
    pair.a.seconds = 60
    pair.a.start()
    pair.a.mount("data")
    pair.a.link.cut()

    pair.pass_by(40)

    with pytest.raises(Failed, match=r"silent and may hold it for 2[0-9] s more"):
        pair.b.mount("data")
