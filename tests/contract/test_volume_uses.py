"""Who holds a volume, whatever becomes of the Unmounts: of dockerd killed, of us killed, of calls lost and doubled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.volume_machine import FakeMachine
from tests.volume_plugin import VolumePlugin, mount_id, volume_plugin


@pytest.fixture
def host() -> Iterator[VolumePlugin]:
    with volume_plugin() as made:
        made.create("data")
        yield made


def new_dockerd(host: VolumePlugin) -> None:
    """Let a new dockerd come up; what it has to say of its containers is in `listed` and `seen`."""
    host.call("Plugin.Activate")
    host.doubts.look()


def running(host: VolumePlugin, count: int, *, listed: bool = True) -> None:
    """Let so many containers have the volume."""
    host.seen["data"] = count
    host.listed["data"] = count if listed else 0


def machine(host: VolumePlugin) -> FakeMachine:
    assert isinstance(host.machine, FakeMachine)
    return host.machine


def test_copying_from_a_running_container_does_not_take_its_volume(host: VolumePlugin) -> None:
    host.mount("data", 1)
    for _ in range(2):
        host.mount("data", 1)
        host.unmount("data", 1)

    assert {1: 1} == host.counts("data")
    assert 1 == len(host.mounted())


def test_two_containers_each_hold_it_until_they_end(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.mount("data", 2)
    host.unmount("data", 1)

    assert {2: 1} == host.counts("data")
    assert 1 == len(host.mounted())
    assert "in use" in host.refused("VolumeDriver.Remove", {"Name": "data"})

    host.unmount("data", 2)

    assert [] == host.mounted()


def test_a_doubled_unmount_and_those_of_what_is_unknown_change_nothing(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.mount("data", 2)
    for name, number in (("data", 1), ("data", 1), ("data", 3), ("nothing", 3), ("../etc", 3)):
        host.unmount(name, number)

    assert {2: 1} == host.counts("data")


def test_a_container_of_a_killed_dockerd_starts_with_the_same_id_and_ends_with_one_unmount(host: VolumePlugin) -> None:
    host.mount("data", 1)
    new_dockerd(host)
    host.mount("data", 1)

    assert {1: 1} == host.counts("data")

    running(host, 1)
    host.doubts.look()
    running(host, 0)
    host.unmount("data", 1)

    assert {} == host.counts("data")
    assert [] == host.mounted()


def test_a_mount_that_comes_before_docker_can_be_asked_is_counted_for_the_new_dockerd(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.call("Plugin.Activate")
    host.mount("data", 1)

    assert [(1, True)] == [(holder.count, holder.confirmed) for holder in host.records.holders]


def test_a_copy_that_a_killed_dockerd_left_open_does_not_count_any_more(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.mount("data", 1)
    running(host, 1)
    new_dockerd(host)

    assert {1: 1} == host.counts("data")


def test_a_container_that_ran_on_without_dockerd_keeps_its_volume_though_no_mount_comes(host: VolumePlugin) -> None:
    there = host.mount("data", 1)
    running(host, 1)
    new_dockerd(host)
    host.doubts.look()

    assert [there] == host.mounted()

    running(host, 0)
    host.unmount("data", 1)

    assert [] == host.mounted()


def test_a_copy_from_a_container_that_ran_on_does_not_take_its_volume_before_docker_was_asked(
    host: VolumePlugin,
) -> None:
    there = host.mount("data", 1)
    host.seen["data"] = 1
    new_dockerd(host)  # its list of containers is not there yet
    host.mount("data", 1)
    host.unmount("data", 1)

    assert {1: 1} == host.counts("data")
    assert [there] == host.mounted()

    running(host, 0)
    host.unmount("data", 1)

    assert {} == host.counts("data")


def test_what_a_killed_dockerds_containers_held_goes_when_none_of_them_runs(host: VolumePlugin) -> None:
    host.mount("data", 1)
    new_dockerd(host)
    host.settled()

    assert {} == host.counts("data")
    assert [] == host.mounted()


def test_of_two_containers_of_a_killed_dockerd_the_one_that_stays_down_holds_nothing(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.mount("data", 2)
    host.seen["data"] = 2  # as long as the kernel has them
    new_dockerd(host)
    host.mount("data", 1)
    running(host, 1)
    host.doubts.look()

    assert {1: 1} == host.counts("data")


def test_while_docker_does_not_answer_nothing_is_concluded(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.call("Plugin.Activate")
    del host.listed  # type: ignore[attr-defined]

    with pytest.raises(AttributeError):
        host.doubts.look()

    assert {1: 1} == host.counts("data")


def test_a_use_in_doubt_has_its_time(host: VolumePlugin) -> None:
    host.after = 3600.0
    host.restart()
    host.mount("data", 1)
    for _ in range(3):
        new_dockerd(host)

    assert {1: 1} == host.counts("data")


def test_what_nothing_speaks_against_is_not_taken_back_though_no_container_runs_yet(host: VolumePlugin) -> None:
    host.doubts.look()
    host.mount("data", 1)
    for _ in range(3):
        host.doubts.look()

    assert {1: 1} == host.counts("data")


def test_a_container_that_ran_and_runs_no_more_holds_nothing_though_docker_never_says_so(host: VolumePlugin) -> None:
    """Docker 20.10 forgets the Unmount of a container that outlived its dockerd, once it was copied from."""
    host.mount("data", 1)
    running(host, 1)
    host.doubts.look()
    running(host, 0)
    host.doubts.look()

    assert {} == host.counts("data")


def test_a_use_from_before_our_own_restart_goes_when_nobody_accounts_for_it(host: VolumePlugin) -> None:
    """Of a Mount that was answered to nobody: its Unmount never comes."""
    host.mount("data", 1)
    host.mount("data", 2)
    host.restart()
    running(host, 1)
    host.doubts.look()

    assert {1: 1, 2: 1} == host.counts("data")  # which of them runs, nobody can tell

    host.unmount("data", 1)
    running(host, 0)
    host.doubts.look()

    assert {} == host.counts("data")


def test_our_own_restart_leaves_counts_as_they_are(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.mount("data", 1)
    running(host, 1)
    host.restart()
    host.doubts.look()
    host.unmount("data", 1)

    assert {1: 1} == host.counts("data")
    assert 1 == len(host.mounted())


def test_after_a_power_cut_nobody_holds_anything(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.mount("data", 2)
    host.stop()
    machine(host).reboot()
    host.boot = "after"
    host.start()
    host.doubts.look()

    assert {} == host.counts("data")

    host.mount("data", 1)  # restart=always, with the id that dockerd has on its disk

    assert {1: 1} == host.counts("data")
    assert 1 == len(host.mounted())


def test_after_a_mount_that_failed_no_unmount_comes_and_nothing_is_held(host: VolumePlugin) -> None:
    machine(host).broken["bind"] = "no space left"

    assert "no space left" in host.refused("VolumeDriver.Mount", {"Name": "data", "ID": mount_id(1)})
    assert {} == host.counts("data")
    assert [] == host.mounted()


def test_a_mount_that_fails_takes_nothing_from_another_container(host: VolumePlugin) -> None:
    there = host.mount("data", 1)
    machine(host).broken["alive"] = "no answer"
    host.refused("VolumeDriver.Mount", {"Name": "data", "ID": mount_id(2)})
    machine(host).broken.clear()

    assert {1: 1} == host.counts("data")
    assert [there] == host.mounted()


def test_an_unmount_while_the_records_are_away_is_made_up_for(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.store.cut()

    assert "records unavailable" in host.refused("VolumeDriver.Unmount", {"Name": "data", "ID": mount_id(1)})

    host.store.mend()
    host.doubts.look()
    host.settled()

    assert {} == host.counts("data")
    assert [] == host.mounted()


def test_a_mount_that_may_have_been_written_is_taken_back(host: VolumePlugin) -> None:
    """The database took it, and its answer was lost: Docker hears of an error, and sends no Unmount."""
    host.mount("data", 1)
    host.store.cut()
    host.refused("VolumeDriver.Mount", {"Name": "data", "ID": mount_id(2)})
    host.store.mend()
    host.mount("data", 2)  # as it would stand in the records
    running(host, 1)
    host.doubts.look()

    assert {1: 1} == host.counts("data")


def test_what_was_told_to_a_dockerd_that_is_gone_is_not_lost_with_the_records_away(host: VolumePlugin) -> None:
    host.mount("data", 1)
    host.mount("data", 1)
    host.store.cut()
    host.call("Plugin.Activate")  # is answered all the same
    with pytest.raises(Exception, match="records unavailable"):
        host.doubts.look()
    host.store.mend()
    running(host, 1)
    host.doubts.look()

    assert {1: 1} == host.counts("data")
