"""Whatever the path - lost and doubled events, refusals, bugs, foreign changes - the system ends as it is planned."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from daemonkit import failures
from daemonkit.diff import diff
from daemonkit.loop import Layer, Loop
from tests.unit.daemonkit.world import FromMapping, Plan, System


@pytest.fixture(autouse=True, scope="module")
def _impatient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, capture_logs():
        patch.setattr(failures, "RETRY_FIRST", 0.001)
        patch.setattr(failures, "RETRY_LAST", 0.02)
        yield


LAYERS = ("low", "high")
keys = st.sampled_from("abcde")
layers = st.sampled_from(LAYERS)
values = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("want"), layers, keys, values, st.sampled_from(["told", "lost", "doubled"])),
    st.tuples(st.just("drop"), layers, keys, values, st.sampled_from(["told", "lost", "doubled"])),
    st.tuples(st.just("foreign"), layers, keys, st.none() | values, st.just("lost")),
    st.tuples(st.just("refuse"), layers, keys, values, st.just("lost")),
    st.tuples(st.just("poison"), layers, keys, values, st.just("lost")),
    st.tuples(st.just("die"), layers, keys, values, st.just("lost")),
    st.tuples(st.just("heal"), layers, keys, values, st.just("lost")),
    st.tuples(st.just("wait"), layers, keys, values, st.just("told")),
)
slow = settings(max_examples=60)


class World:
    def __init__(self, patience: float) -> None:
        self.plan: Plan = {layer: {} for layer in LAYERS}
        self.systems = {layer: System() for layer in LAYERS}
        made: list[Layer[Plan, Any, Any]] = [
            Layer(layer, FromMapping(layer), self.systems[layer], patience=patience) for layer in LAYERS
        ]
        self.loop = Loop(made, lambda: {layer: dict(keys) for layer, keys in self.plan.items()}, resync=1000)
        self.loop.start()

    def step(self, verb: str, layer: str, key: str, value: int | None, event: str) -> None:
        system = self.systems[layer]
        match verb:
            case "want":
                self.plan[layer] = {**self.plan[layer], key: value or 0}
            case "drop":
                self.plan[layer] = {k: v for k, v in self.plan[layer].items() if k != key}
            case "foreign" if value is None:
                system.there.pop(key, None)
            case "foreign":
                system.there[key] = value or 0
            case "refuse":
                system.refused[key] = "refused"
            case "poison":
                system.poison.add(key)
            case "die":
                system.dead = "dead"
            case "heal":
                self.heal(system)
            case "wait":
                self.loop.settle([(layer, key)], time.monotonic() + 0.01)
        for _ in range({"told": 1, "doubled": 2, "lost": 0}[event]):
            self.loop.poke([(layer, key)])

    @staticmethod
    def heal(system: System) -> None:
        system.refused, system.poison, system.dead = {}, set(), None

    def matches(self) -> bool:
        return all(self.systems[layer].there == self.plan[layer] for layer in LAYERS)


def settled(world: World) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if world.matches() and not world.loop.failures():
            return True
        time.sleep(0.001)
    return False


@slow
@given(st.lists(steps, max_size=25), st.sampled_from([0.0, 0.01]))
def test_after_all_faults_are_healed_one_full_pass_ends_with_the_plan(
    path: list[tuple[str, str, str, int | None, str]], patience: float
) -> None:
    world = World(patience)
    try:
        for step in path:
            world.step(*step)
        for system in world.systems.values():
            world.heal(system)
        world.loop.poke()

        assert settled(world), (world.plan, {name: system.there for name, system in world.systems.items()})
    finally:
        world.loop.stop()


told = st.tuples(
    st.sampled_from(["want", "drop", "refuse", "poison", "wait", "heal"]),
    layers,
    keys,
    values,
    st.sampled_from(["told", "doubled"]),
)


@slow
@given(st.lists(told, max_size=25), st.sampled_from([0.0, 0.01]))
def test_passes_over_the_keys_that_changed_lead_where_a_full_pass_leads(
    path: list[tuple[str, str, str, int | None, str]], patience: float
) -> None:
    world = World(patience)
    try:
        world.loop.settle([], time.monotonic() + 5)  # the first pass, a full one, is over
        for step in path:
            world.step(*step)
        for system in world.systems.values():
            world.heal(system)

        assert settled(world)
        assert all(reads.count(None) == 1 for reads in (system.reads for system in world.systems.values()))
    finally:
        world.loop.stop()


mappings = st.dictionaries(keys, values)


@given(mappings, mappings)
def test_a_difference_turns_what_is_into_what_should_be_and_touches_nothing_else(
    desired: dict[str, int], actual: dict[str, int]
) -> None:
    change = diff(desired, actual)

    result = {k: v for k, v in actual.items() if k not in change.delete} | dict(change.create) | dict(change.change)
    assert result == desired
    assert bool(change) == (desired != actual)
    assert all(actual[key] != value for key, value in change.change.items())
    assert not diff(desired, result)
