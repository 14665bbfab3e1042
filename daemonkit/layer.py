"""What the loop is made of: planners that decide, actuators that act, and how one change of a layer is tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from daemonkit.diff import Diff

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
S = TypeVar("S")  # what the planners plan from: all records at one revision
S_contra = TypeVar("S_contra", contravariant=True)
V_co = TypeVar("V_co", covariant=True)


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
        """Make the change; return what failed and why.  Every step may be repeated.

        An OSError means that nothing works now: all keys have failed.  After any other exception, which is a bug, the
        change is applied again key by key, so that the fault stays with its key.
        """


@dataclasses.dataclass(frozen=True)  # no slots: `Layer[S, K, V](...)` notes its types on itself
class Layer(Generic[S, K, V]):
    """A planner with its actuator.  Creation runs in the order of layers, deletion in reverse.

    With `patience`, deletions wait that many seconds for company, where one batch is cheaper than many.  Who waits for
    such a key (`settle`) does not wait for its deletion.  A layer that others build on needs at least their patience.
    """

    name: str
    planner: Planner[S, K, V]
    actuator: Actuator[K, V]
    patience: float = 0.0


def plan(planner: Planner[S, K, V], source: S, keys: Collection[K]) -> tuple[dict[K, V], dict[K, Exception]]:
    """Return what `keys` should be, and those that could not be planned: a planner's bug stays with its key."""
    wanted: dict[K, V] = {}
    broken: dict[K, Exception] = {}
    for key in keys:
        try:
            want = planner.want(source, key)
        except Exception as error:  # see above
            broken[key] = error
        else:
            if want is not None:
                wanted[key] = want
    return wanted, broken


def attempt(actuator: Actuator[K, V], change: Diff[K, V]) -> Mapping[K, str | Exception]:
    """Make the change; return what failed."""
    touched = [*change.create, *change.change, *change.delete]
    try:
        return actuator.apply(change)
    except Exception as error:  # a fault stays with its keys
        if isinstance(error, OSError) or len(touched) == 1:
            return dict.fromkeys(touched, error)
    return {key: why for one in _singly(change) for key, why in attempt(actuator, one).items()}


def _singly(change: Diff[K, V]) -> Iterator[Diff[K, V]]:
    yield from (Diff({}, {}, {key: was}) for key, was in change.delete.items())
    yield from (Diff({key: want}, {}, {}) for key, want in change.create.items())
    yield from (Diff({}, {key: want}, {}) for key, want in change.change.items())
