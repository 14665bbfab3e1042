"""The loop: brings the system to the records, layer by layer, key by key; one thread a daemon.

A layer is a planner (pure) and an actuator (two verbs).  A change of a record pokes the keys it concerns; a full pass
(all keys of all layers) runs at start, when an actuator says that the system changed under us, and every `resync`
seconds against drift.  The full pass is the truth: a pass over some keys must lead where it leads.
"""

from __future__ import annotations

import dataclasses
import math
import random
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import structlog

from daemonkit.diff import Diff, diff
from daemonkit.metrics import LoopMetrics

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
S = TypeVar("S")  # what the planners plan from: all records at one revision
S_contra = TypeVar("S_contra", contravariant=True)
V_co = TypeVar("V_co", covariant=True)

RESYNC = 30.0  # seconds between full passes nobody asked for: they catch drift
EVERYTHING = "*"  # the key that fails when a layer cannot be read at all
RETRY_FIRST, RETRY_LAST = 0.1, 10.0  # seconds to the first and to the latest repetition of a failed key

log = structlog.get_logger()


class Planner(Protocol[S_contra, K, V_co]):
    """What should be; pure: no clock, no I/O, total."""

    def keys(self, source: S_contra) -> Collection[K]:
        """Return all keys that should exist."""

    def want(self, source: S_contra, key: K) -> V_co | None:
        """Return what `key` should be, or None where it should not exist."""


class Actuator(Protocol[K, V]):
    """What is, and how to change it; used from the loop thread only."""

    def read(self, keys: Collection[K] | None) -> Mapping[K, V]:
        """Return what is there of `keys` (None: all) and bears our mark.  Raises OSError where it cannot be known."""

    def apply(self, change: Diff[K, V]) -> Mapping[K, str]:
        """Make the change; return what failed and why.  Every step may be repeated."""


@dataclasses.dataclass(frozen=True, slots=True)
class Layer(Generic[S, K, V]):
    """A planner with its actuator.  Creation runs in the order of layers, deletion in reverse."""

    name: str
    planner: Planner[S, K, V]
    actuator: Actuator[K, V]
    patience: float = 0.0  # seconds that deletions wait for company, where one batch is cheaper than many


@dataclasses.dataclass(slots=True)
class Failure:
    """Why a key is not as it should be, how often it was tried, and when (monotonic seconds) it is tried again."""

    reason: str
    tries: int
    again: float


Key = tuple[str, Hashable]  # (layer, key)


class Loop(Generic[S]):
    """Runs passes in a thread of its own until `stop`."""

    def __init__(
        self,
        layers: Sequence[Layer[S, Any, Any]],
        source: Callable[[], S],
        *,
        resync: float = RESYNC,
        metrics: LoopMetrics | None = None,
    ) -> None:
        self._layers = list(layers)
        self._source = source
        self._resync = resync
        self._metrics = metrics or LoopMetrics.unregistered()
        self._wake = threading.Condition()
        self._poked: set[Key] = set()
        self._full = True
        self._later: set[Key] = set()  # deletions that wait for company
        self._later_due = math.inf
        self._stopping = False
        self._asked = 0  # pokes so far
        self._done = 0  # pokes that a finished pass has seen
        self._failures: dict[Key, Failure] = {}
        self._in_sync = False  # a full pass has ended without the actuators refusing to be read
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        """Begin, with a full pass."""
        self._thread.start()

    def stop(self) -> None:
        """End after the pass that runs now."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def poke(self, keys: Iterable[Key] | None = None) -> None:
        """Ask for a pass over `keys`, or for a full one."""
        with self._wake:
            if keys is None:
                self._full = True
            else:
                self._poked.update(keys)
            self._asked += 1
            self._wake.notify_all()

    def settle(self, keys: Collection[Key], until: float) -> Mapping[Key, str]:
        """Wait until every one of `keys` is as it should be; return the reasons of those that are not by `until`.

        `until` is in monotonic seconds.  A key is well when a pass that began after this call has seen it and left it
        without failure; a key that no pass reached in time is answered with that as its reason.
        """
        self.poke(keys)
        with self._wake:
            mine = self._asked

            def well() -> bool:
                return self._stopping or (self._done >= mine and not any(key in self._failures for key in keys))

            self._wake.wait_for(well, timeout=max(0.0, until - time.monotonic()))
            if self._done < mine:
                return dict.fromkeys(keys, "not reached in time")
            return {key: self._failures[key].reason for key in keys if key in self._failures}

    def failures(self) -> dict[Key, Failure]:
        """Return a copy of what fails now."""
        with self._wake:
            return {key: dataclasses.replace(failure) for key, failure in self._failures.items()}

    @property
    def in_sync(self) -> bool:
        """Whether everything has been looked at since the start."""
        return self._in_sync

    def _run(self) -> None:
        next_full = time.monotonic()
        while True:
            with self._wake:
                due = min([next_full, self._later_due, *(f.again for f in self._failures.values())])
                if not (self._full or self._poked or self._stopping) and due > time.monotonic():
                    self._wake.wait(due - time.monotonic())
                if self._stopping:
                    return
                now = time.monotonic()
                again = {key for key, f in self._failures.items() if f.again <= now}
                full = self._full or now >= next_full or any(key == EVERYTHING for _, key in again)
                keys = self._poked | again
                asked, self._poked, self._full = self._asked, set(), False
            if full:
                next_full = now + self._resync
            if full or keys:
                self._pass(None if full else keys)
            with self._wake:
                self._done = asked
                self._wake.notify_all()
                crowded = bool(self._poked or self._full)
            if not crowded and time.monotonic() >= self._later_due:
                later, self._later, self._later_due = self._later, set(), math.inf
                self._pass(later, deleting=True)

    def _pass(self, keys: Collection[Key] | None, *, deleting: bool = False) -> None:
        """Compare and change; `deleting` says that patient layers have waited long enough."""
        began = time.monotonic()
        source = self._source()
        plans: list[tuple[Layer[S, Any, Any], Diff[Any, Any]]] = []
        readable = True
        for layer in self._layers:
            mine = None if keys is None else {key for name, key in keys if name == layer.name}
            if mine is None or mine:
                change = self._plan(layer, source, mine)
                readable = readable and change is not None
                if change is not None:
                    plans.append((layer, change))
        for layer, change in reversed(plans):
            if change.delete and layer.patience and not deleting:
                self._later.update((layer.name, key) for key in change.delete)
                self._later_due = min(self._later_due, began + layer.patience)
            elif change.delete:
                self._apply(layer, Diff({}, {}, change.delete))
        for layer, change in plans:
            if change.create or change.change:
                self._apply(layer, Diff(change.create, change.change, {}))
        if keys is None and readable:
            self._in_sync = True
        self._metrics.passed(full=keys is None, seconds=time.monotonic() - began, failing=len(self._failures))

    def _plan(self, layer: Layer[S, Any, Any], source: S, keys: Collection[Any] | None) -> Diff[Any, Any] | None:
        """Compare; None where the layer cannot be read.  Forgets failures of keys that are as they should be."""
        try:
            actual = layer.actuator.read(keys)
            every = layer.planner.keys(source) if keys is None else keys
            wanted = {key: want for key in every if (want := layer.planner.want(source, key)) is not None}
        except Exception as error:  # a bug or a dead system: other layers go on, this one is tried again
            log.warning(
                "layer unreadable", layer=layer.name, reason=str(error), exc_info=not isinstance(error, OSError)
            )
            self._fail(layer, {key: str(error) for key in (keys or [EVERYTHING])})
            return None
        change = diff(wanted, actual)
        busy = {*change.create, *change.change, *change.delete}
        self._forget(layer, keys, busy)
        return change

    def _apply(self, layer: Layer[S, Any, Any], change: Diff[Any, Any]) -> None:
        touched = {*change.create, *change.change, *change.delete}
        try:
            failed = layer.actuator.apply(change)
        except Exception as error:  # a fault stays with its keys
            log.warning("layer failed", layer=layer.name, reason=str(error), exc_info=not isinstance(error, OSError))
            failed = dict.fromkeys(touched, str(error) or type(error).__name__)
        self._fail(layer, failed)
        with self._wake:
            for key in touched - set(failed):
                self._failures.pop((layer.name, key), None)
        self._metrics.changed(
            layer.name, created=len(change.create), changed=len(change.change), deleted=len(change.delete)
        )

    def _forget(self, layer: Layer[S, Any, Any], keys: Collection[Any] | None, busy: set[Any]) -> None:
        with self._wake:
            for name, key in list(self._failures):
                if name == layer.name and (keys is None or key in keys) and key not in busy:
                    del self._failures[name, key]

    def _fail(self, layer: Layer[S, Any, Any], failed: Mapping[Any, str]) -> None:
        now = time.monotonic()
        with self._wake:
            for key, reason in failed.items():
                old = self._failures.get((layer.name, key))
                tries = old.tries + 1 if old else 1
                wait = min(RETRY_FIRST * 2 ** min(tries - 1, 20), RETRY_LAST) * random.uniform(0.8, 1.2)  # noqa: S311
                self._failures[layer.name, key] = Failure(reason, tries, now + wait)
                if old is None or old.reason != reason:
                    log.warning("key fails", layer=layer.name, key=str(key), reason=reason)
