"""Whatever Docker asks, and whoever is killed where: what is mounted is what the containers that run have.

Docker is modelled by what it believes: a container runs when its Mount was answered without an error, and ends without
asking.  Its Unmount may be lost with us or with dockerd.  The daemon may die at any commit and at any work of its
worker, before or after it; the machine may lose its power, mounts and backends.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.quiet import quiet
from tests.volume_machine import FakeMachine
from tests.volume_plugin import VolumePlugin, mount_id, volume_plugin
from tests.waiting import until
from volplugin import doubts
from volplugin.system.worker import WorkerError

NAMES = ("data", "logs")

names = st.sampled_from(NAMES)
which = st.integers(0, 5)  # of those that run
steps = st.none() | st.integers(0, 7)  # until the daemon dies, or not


class Docker(RuleBasedStateMachine):
    """Docker on one host, with a plugin on a machine of dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = contextlib.ExitStack()
        self.ends.enter_context(quiet())
        patch = self.ends.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(doubts, "ENDING", 0.0)
        patch.setattr(doubts, "SURE", 0.0)  # no container is filled here before it starts
        self.machine = FakeMachine()
        self.host: VolumePlugin = self.ends.enter_context(volume_plugin(machine=self.machine))
        self.running: dict[int, str] = {}  # id of the mount -> volume
        self.number = 0

    def ask(self, method: str, **body: Any) -> bool:
        """Return whether the answer came, and is no error."""
        answer = self.host.post(f"VolumeDriver.{method}", body)
        lost = self.host.life.ended
        if lost:
            self.host.restart()
        return not lost and "Err" not in answer

    def tell(self) -> None:
        """Let Docker and the kernel tell what runs."""
        for told in (self.host.listed, self.host.seen):
            told.clear()
            for name in self.running.values():
                told[name] = told.get(name, 0) + 1

    def look(self) -> None:
        """Let the daemon compare with Docker, if it lives to do so."""
        with contextlib.suppress(WorkerError):  # killed
            self.host.doubts.look()
        if self.host.life.ended:
            self.host.restart()

    def chosen(self, which: int) -> tuple[int, str] | None:
        there = sorted(self.running.items())
        return there[which % len(there)] if there else None

    @initialize()
    def volumes(self) -> None:
        for name in NAMES:
            self.ask("Create", Name=name, Opts={})

    @rule(steps=st.integers(0, 7))
    def dies_soon(self, steps: int) -> None:
        self.host.life.die_at = self.host.life.steps + steps

    @rule(name=names)
    def create(self, name: str) -> None:
        self.ask("Create", Name=name, Opts={})

    @rule(name=names)
    def start(self, name: str) -> None:
        self.number += 1
        if self.ask("Mount", Name=name, ID=mount_id(self.number)):
            self.running[self.number] = name
            self.tell()

    @rule(which=which, times=st.integers(0, 2))
    def stop(self, which: int, times: int) -> None:
        if (found := self.chosen(which)) is not None:
            number, name = found
            if not times:  # what ran for a while, and whose Unmount is lost
                self.look()
            del self.running[number]
            self.tell()
            for _ in range(times):
                self.ask("Unmount", Name=name, ID=mount_id(number))

    @rule(which=which)
    def copy(self, which: int) -> None:
        if (found := self.chosen(which)) is not None:
            number, name = found
            if self.ask("Mount", Name=name, ID=mount_id(number)):
                self.ask("Unmount", Name=name, ID=mount_id(number))

    @rule(name=names)
    def remove(self, name: str) -> None:
        if name not in self.running.values():
            self.ask("Remove", Name=name)

    @rule(survive=st.booleans(), again=st.booleans())
    def dockerd_dies(self, survive: bool, again: bool) -> None:  # hypothesis calls by name
        before, self.running = self.running, dict(self.running) if survive else {}
        self.tell()
        self.host.post("Plugin.Activate")
        for number, name in before.items() if again and not survive else ():
            if self.ask("Mount", Name=name, ID=mount_id(number)):
                self.running[number] = name
        self.tell()

    @rule()
    def power_is_cut(self) -> None:
        self.running.clear()
        self.tell()
        self.host.stop()
        self.machine.reboot()
        self.host.boot += "'"
        self.host.start()

    @rule(which=which)
    def somebody_unmounts(self, which: int) -> None:
        if there := self.host.mounted():
            self.machine.do("disk", "unmount", {"target": there[which % len(there)], "detach": True})

    @rule(broken=st.sampled_from(["", "bind", "unmount", "make", "alive"]))
    def the_backend_breaks(self, broken: str) -> None:
        self.machine.broken.clear()
        if broken:
            self.machine.broken[broken] = "broken"

    @rule()
    def all_is_well_in_the_end(self) -> None:
        self.machine.broken.clear()
        if self.host.life.ended:
            self.host.restart()
        self.host.life.die_at = None
        for _ in range(2):
            self.host.doubts.look()
        for keeper in self.host.keepers:
            keeper.loop.poke()
        self.host.settled()
        held = Counter(holder.volume for holder in self.host.records.holders)
        uses = Counter(self.host.volume(name).id for name in self.running.values())

        # Docker tells how many containers have a volume, not which uses are theirs: one whose end was not heard of may
        # stay until the last of them ends.
        assert uses.keys() == held.keys()
        assert uses <= held
        assert len(set(self.running.values())) == len(self.host.mounted())

    def teardown(self) -> None:
        try:
            self.all_is_well_in_the_end()
            for number, name in list(self.running.items()):
                del self.running[number]
                self.tell()
                self.ask("Unmount", Name=name, ID=mount_id(number))
            self.all_is_well_in_the_end()
            until(lambda: not self.host.mounted())
        finally:
            self.ends.close()


TestDocker = Docker.TestCase
TestDocker.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # add Phase.shrink for a shorter failure, in minutes
)
