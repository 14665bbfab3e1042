"""A small world for the loop: a system that can be broken key by key, and a plan that is a mapping."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping

from daemonkit.diff import Diff

Plan = dict[str, dict[str, int]]  # layer -> key -> what it should be


class FromMapping:
    """A planner: what the source says for its layer.  A value below zero stands for a bug of the planner."""

    def __init__(self, layer: str) -> None:
        self.layer = layer

    def keys(self, source: Plan) -> Collection[str]:
        return list(source.get(self.layer, {}))

    def want(self, source: Plan, key: str) -> int | None:
        value = source.get(self.layer, {}).get(key)
        if value is not None and value < 0:
            raise ArithmeticError(f"cannot plan {key}")
        return value


class System:
    """An actuator over a mapping, with faults to order."""

    def __init__(self, journal: list[str] | None = None, name: str = "") -> None:
        self.there: dict[str, int] = {}
        self.refused: dict[str, str] = {}  # key -> reason that apply returns
        self.poison: set[str] = set()  # a batch with one of these raises
        self.dead: str | None = None  # nothing can be read
        self.broken: str | None = None  # nothing can be applied
        self.gate = threading.Event()  # apply waits for it
        self.gate.set()
        self.entered = threading.Event()
        self.reads: list[frozenset[str] | None] = []
        self.applied: list[Diff[str, int]] = []
        self.journal = journal if journal is not None else []
        self.name = name

    def read(self, keys: Collection[str] | None) -> Mapping[str, int]:
        self.reads.append(None if keys is None else frozenset(keys))
        if self.dead:
            raise OSError(self.dead)
        return dict(self.there)  # more than was asked for: the loop must not take it for a plan to delete

    def apply(self, change: Diff[str, int]) -> Mapping[str, str]:
        self.entered.set()
        self.gate.wait(10)
        self.applied.append(change)
        if self.broken:
            raise OSError(self.broken)
        if self.poison & {*change.create, *change.change, *change.delete}:
            raise ZeroDivisionError("poison")
        failed = {}
        for verb, key, value in self._steps(change):
            if key in self.refused:
                failed[key] = self.refused[key]
                continue
            self.journal.append(f"{verb} {self.name}{key}")
            if value is None:
                self.there.pop(key, None)
            else:
                self.there[key] = value
        return failed

    @staticmethod
    def _steps(change: Diff[str, int]) -> Iterator[tuple[str, str, int | None]]:
        for key in change.delete:
            yield "delete", key, None
        for key, value in change.create.items():
            yield "create", key, value
        for key, value in change.change.items():
            yield "change", key, value
