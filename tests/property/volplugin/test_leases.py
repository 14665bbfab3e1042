"""Whatever becomes of hosts, daemons, clocks and commits: two hosts never write to a volume that one may write to."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daemonkit.errors import PluginError
from records.errors import RecordsError
from records.memory import MemoryStore
from records.writes import Insert
from tests.leases import Member
from tests.volumes import backend, ready

VOLUME = "data"
NAMES = ("a", "b", "c")

hosts = st.integers(0, len(NAMES) - 1)
times = st.sampled_from([0.5, 2.0, 5.0, 12.0, 16.0, 21.0, 35.0, 50.0])  # seconds
fates = st.one_of(
    st.tuples(st.just("pass"), times),  # time passes; daemons do their rounds
    st.tuples(st.just("stall"), times),  # time passes while every daemon is stopped; guards are not
    st.tuples(st.just("unmount"), hosts),
    st.tuples(st.just("cut"), hosts),
    st.tuples(st.just("deaf"), hosts),
    st.tuples(st.just("heal"), hosts),
    st.tuples(st.just("die"), hosts),  # the daemon is killed: no rounds until it starts
    st.tuples(st.just("start"), hosts),
    st.tuples(
        st.just("slow"), st.sampled_from([0.0, 0.0, 1.0, 4.0])
    ),  # seconds that each way to the records and back takes from now on
)
compete = st.tuples(st.just("compete"), times)  # time passes, and every host tries to get the volume
events = st.lists(st.tuples(compete, fates), min_size=4, max_size=12).map(
    lambda pairs: [event for pair in pairs for event in pair]
)
rates = st.floats(0.999, 1.001)


class World:
    def __init__(self, directory: Path, rates: tuple[float, ...], seconds: tuple[int, ...]) -> None:
        self.now = 0.0
        self.slow = 0.0
        self.store = MemoryStore()
        self.members = [
            Member(
                name,
                self.store,
                directory / f"{name}.json",
                lambda rate=rate, number=number: 1000.0 * number + rate * self.now,  # type: ignore[misc]
                seconds=time,
                crossing=self.cross,
            )
            for number, (name, rate, time) in enumerate(zip(NAMES, rates, seconds, strict=True))
        ]
        self.dead: set[str] = set()
        self.store.commit([Insert(backend("nfs1"))])
        ready(self.store, VOLUME, access="host")
        (self.volume,) = self.store.snapshot().volumes

    def cross(self) -> None:
        self.now += self.slow
        self.check()

    def check(self) -> None:
        writing = [member.name for member in self.members if member.writes(self.volume.id)]
        assert len(writing) <= 1, f"{writing} write at {self.now}"

    def alive(self) -> Iterator[Member]:
        return (member for member in self.members if member.name not in self.dead)

    def do(self, event: tuple[str, Any]) -> None:
        what, value = event
        if what in {"pass", "compete"}:
            self.pass_by(value, compete=what == "compete")
        elif what == "stall":
            self.now += value
        elif what == "slow":
            self.slow = value
        elif what == "die":
            self.dead.add(NAMES[value])
        else:
            self.act(what, self.members[value])
        self.check()

    def pass_by(self, seconds: float, *, compete: bool = False) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += 0.5
            for member in self.alive():
                member.renewals.look()
                with contextlib.suppress(RecordsError):
                    member.look_round()
                if compete and self.volume.id not in member.using:
                    self.act("mount", member)
            self.check()

    def act(self, what: str, member: Member) -> None:
        match what:
            case "cut":
                member.link.cut()
            case "deaf":
                member.link.deaf = True
            case "heal":
                member.link.heal()
            case "start":
                self.dead.discard(member.name)
                member.start()
            case "mount" if member.name not in self.dead:
                with contextlib.suppress(PluginError, RecordsError):
                    member.mount(VOLUME)
            case "unmount" if member.name not in self.dead:
                with contextlib.suppress(PluginError, RecordsError):
                    member.unmount(VOLUME)


@settings(max_examples=50, deadline=None)
@given(
    events,
    st.tuples(rates, rates, rates),
    st.tuples(*[st.sampled_from([6, 10, 30])] * len(NAMES)),
)
def test_two_hosts_never_write_at_once(
    events: list[tuple[str, Any]], rates: tuple[float, ...], seconds: tuple[int, ...]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), rates, seconds)

        for event in events:
            world.do(event)


@settings(max_examples=50, deadline=None)
@given(events, hosts)
def test_whatever_happened_somebody_gets_the_volume_when_all_is_well_again(
    events: list[tuple[str, Any]], number: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), (1.0, 1.0, 1.0), (6, 6, 6))
        for event in events:
            world.do(event)

        world.slow = 0.0
        for member in world.members:
            member.link.heal()
        world.pass_by(1)
        world.dead = {member.name for member in world.members}  # all but one have lost their power
        for member in world.members:
            if member is not world.members[number]:
                member.using.clear()
        world.act("start", world.members[number])
        world.pass_by(30)
        world.act("mount", world.members[number])

        assert world.members[number].writes(world.volume.id)
