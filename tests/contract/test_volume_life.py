"""Volumes from their creation to the end of their data, through the plugin: killed anywhere, and beside deletions."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from daemonkit.errors import PluginError
from records.errors import RecordsError
from records.model import VolumeState
from tests.quiet import quiet
from tests.volume_machine import FakeMachine, KilledError
from tests.volume_plugin import VolumePlugin, volume_plugin
from tests.waiting import until
from volplugin import changes
from volplugin.plan.needs import at_rest
from volplugin.sweeper import Sweeper

STEPS = 40  # of one life of the daemon: more than all that follows takes


class SlowDeletions(FakeMachine):
    """A machine on which deletions end when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = threading.Event()

    def do(self, backend: str, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if verb == "delete" and not self.may_end.wait(0.02):
            return {"result": {"done": False, "entries": 7}}
        return super().do(backend, verb, arguments)


def test_a_deletion_that_takes_its_time_holds_nothing_up() -> None:
    machine = SlowDeletions()
    with volume_plugin(machine=machine) as host:
        host.create("large", retain="delete")
        large = host.volume("large")
        host.remove("large")
        until(lambda: any(keeper.disposal.deleted.get(large.id, 0) >= 14 for keeper in host.keepers))

        host.create("data")
        host.mount("data", 1)
        host.unmount("data", 1)
        host.remove("data")
        until(lambda: [VolumeState.TRASHED] == [v.state for v in host.records.volumes if v.id != large.id])

        deleting = host.records.volumes.get(large.id)
        assert deleting is not None
        assert VolumeState.DELETING is deleting.state
        machine.may_end.set()
        until(lambda: host.records.volumes.get(large.id) is None)
        assert not machine.look(f"/srv/disk/{large.path}")
        until(lambda: all({} == keeper.disposal.deleted for keeper in host.keepers))


def test_why_a_volume_cannot_be_deleted_stands_in_the_records_until_it_can() -> None:
    machine = SlowDeletions()
    with volume_plugin(machine=machine) as host:
        host.create("data", retain="delete")
        machine.broken["delete"] = "a file is immutable"
        machine.may_end.set()
        host.remove("data")
        until(lambda: ["a file is immutable"] == [volume.problem for volume in host.records.volumes])

        machine.may_end.clear()
        machine.broken.clear()
        until(lambda: [None] == [volume.problem for volume in host.records.volumes], within=15)

        machine.may_end.set()
        until(lambda: [] == list(host.records.volumes))


def test_several_deletions_go_on_side_by_side() -> None:
    machine = SlowDeletions()
    with volume_plugin(machine=machine) as host:
        names = ["one", "two"]
        for name in names:
            host.create(name, retain="delete")
        ids = {host.volume(name).id for name in names}
        for name in names:
            host.remove(name)

        until(lambda: any(ids <= keeper.disposal.deleted.keys() for keeper in host.keepers))
        machine.may_end.set()
        until(lambda: [] == list(host.records.volumes))


def attempted(host: VolumePlugin, what: str) -> bool:
    """Do something as its user would; return whether the daemon outlived it."""
    try:
        match what:
            case "create" | "remove":
                answer = host.post(f"VolumeDriver.{what.title()}", {"Name": "data", "Opts": {}})
                return "Err" not in answer and not host.life.ended
            case "restore":
                changes.restore(host.store, "data", host.host)
            case "delete":
                changes.delete_now(host.store, "data", host.host, lambda: 5.0)
            case "sweep":
                Sweeper(host.store, host.host, 1.0, lambda: 1e9).sweep()
    except (PluginError, RecordsError, KilledError):
        return False
    return True


LIVES = (
    (["create"], "ready"),
    (["create", "remove"], "trashed"),
    (["create", "remove", "restore"], "ready"),
    (["create", "remove", "sweep"], None),
    (["create", "delete"], None),
    (["create", "remove", "restore", "delete"], None),
)


@pytest.mark.parametrize(("calls", "ends"), LIVES, ids=lambda value: "-".join(value) if isinstance(value, list) else "")
def test_a_daemon_killed_at_any_step_ends_what_it_began(calls: list[str], ends: str | None) -> None:
    for die_at in range(STEPS):
        with quiet(), volume_plugin(machine=FakeMachine()) as host:
            host.restart(die_at)
            first = host.life
            for call in calls:
                attempted(host, call)
                until(lambda: host.life.ended or all(map(at_rest, host.records.volumes)))
                if host.life.ended:
                    host.restart()
                    attempted(host, call)
                    until(lambda: all(map(at_rest, host.records.volumes)))
            states = [str(volume.state) for volume in host.records.volumes]
            assert ([] if ends is None else [ends]) == states, f"killed at step {die_at}"
            for volume in host.records.volumes:
                at = {"ready": volume.path, "trashed": f".trash/{volume.id}"}[str(volume.state)]
                assert host.machine.look(f"/srv/disk/{at}")
            if not first.ended:  # it did all of it
                return
    pytest.fail("it never did all of it")


def test_why_a_volume_cannot_be_brought_on_stands_in_the_records_until_it_can() -> None:
    machine = FakeMachine()
    with volume_plugin(machine=machine) as host:
        host.create("data")
        machine.broken["rename"] = "the disk is full"
        host.remove("data")
        until(lambda: [volume.problem for volume in host.records.volumes] == ["the disk is full"])

        machine.broken.clear()

        until(lambda: [(v.state, v.problem) for v in host.records.volumes] == [(VolumeState.TRASHED, None)], within=15)
