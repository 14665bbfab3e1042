"""The loop: brings the system to the records, layer by layer, key by key; one thread a daemon.

A layer is a planner (pure) and an actuator (two verbs).  A change of a record pokes the keys it concerns; a full pass
(all keys of all layers) runs at start, when an actuator says that the system changed under us, and every `resync`
seconds against drift.  The full pass is the truth: a pass over some keys must lead where it leads.

A fault stays with its key: nobody who waits for another key hears of it.  What is shared is the thread: a pass takes as
long as its slowest key, and who pokes meanwhile waits for it to end.  So an actuator bounds every wait of its own.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic

import structlog

from daemonkit.diff import Diff, diff
from daemonkit.failures import Failure, Failures, Key
from daemonkit.layer import Actuator, Layer, Planner, S, attempt, plan
from daemonkit.metrics import LoopMetrics

__all__ = ["EVERYTHING", "Actuator", "Failure", "Key", "Layer", "Loop", "Planner"]

RESYNC = 30.0  # seconds between full passes nobody asked for: they catch drift
EVERYTHING = "*"  # the key that fails when a layer cannot be read as a whole
CROWD = 2.0  # seconds that deletions which waited for company wait on while there is other work

log = structlog.get_logger()


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
        self._unread = {layer.name for layer in layers}  # not looked at as a whole since the start
        self._later: set[Key] = set()  # deletions that wait for company
        self._later_due = math.inf
        self._next_full = 0.0
        self._wake = threading.Condition()  # guards what follows
        self._poked: set[Key] = set()
        self._full = False
        self._stopping = False
        self._asked = 0  # pokes so far
        self._done = 0  # pokes that a finished pass has seen
        self._failures = Failures()
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

    def poke(self, keys: Iterable[Key] | None = None) -> int:
        """Ask for a pass over `keys`, or for a full one; return the number of this request."""
        with self._wake:
            if keys is None:
                self._full = True
            else:
                self._poked.update(keys)
            self._asked += 1
            self._wake.notify_all()
            return self._asked

    def settle(
        self, keys: Collection[Key], until: float, *, look: bool = True, patient: bool = True
    ) -> Mapping[Key, str]:
        """Wait until every one of `keys` is as it should be; return the reasons of those that are not by `until`.

        `until` is in monotonic seconds.  A key is well when a pass that began after this call has seen it and left it
        without failure; a key that no pass reached in time is answered with that as its reason.  With `look` false no
        pass is asked for: what was poked before this call is waited for, which is enough where nothing but a change of
        the records is expected.  With `patient` false the first failure is the answer, and no repetition is waited for.
        """
        if look or not self.in_sync:
            self.poke(keys)
        with self._wake:
            mine = self._asked

            def well() -> bool:
                seen = self._done >= mine
                return self._stopping or (seen and not (patient and any(key in self._failures for key in keys)))

            self._wake.wait_for(well, timeout=max(0.0, until - time.monotonic()))
            if self._done < mine:
                return dict.fromkeys(keys, "the daemon is stopping" if self._stopping else "not reached in time")
            return self._failures.reasons(keys)

    def failures(self) -> dict[Key, Failure]:
        """Return what fails now."""
        with self._wake:
            return self._failures.copy()

    def status(self) -> dict[str, Any]:
        """Return for `moorage status` whether all is seen, and what fails, how often, for how many seconds, and why."""
        now = time.monotonic()
        return {
            "in_sync": self.in_sync,
            "failures": [
                {
                    "layer": layer,
                    "key": str(key),
                    "reason": f.reason,
                    "tries": f.tries,
                    "seconds": round(now - f.since, 1),
                }
                for (layer, key), f in sorted(self.failures().items(), key=lambda item: item[1].since)
            ],
        }

    @property
    def in_sync(self) -> bool:
        """Whether everything has been looked at since the start."""
        return not self._unread

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._stopping and self._asked == self._done and (rest := self._rest()) > 0:
                    self._wake.wait(min(rest, threading.TIMEOUT_MAX))
                if self._stopping:
                    return
                now = time.monotonic()
                full = self._full or now >= self._next_full
                keys = self._poked | self._failures.due(now)
                asked, self._poked, self._full = self._asked, set(), False
            if full:
                self._next_full = now + self._resync
            if full or keys:
                self._pass(keys, full=full)
            with self._wake:
                self._done = asked
                self._wake.notify_all()
                crowded = self._asked != self._done
            if time.monotonic() >= self._later_due + (CROWD if crowded else 0):
                later, self._later, self._later_due = self._later, set(), math.inf
                self._pass(later, deleting=True)

    def _rest(self) -> float:
        """Return for how many seconds there is nothing to do unless somebody pokes."""
        return min(self._next_full, self._later_due, self._failures.next()) - time.monotonic()

    def _pass(self, keys: Collection[Key], *, full: bool = False, deleting: bool = False) -> None:
        """Compare and change; `deleting` says that patient layers have waited long enough."""
        began = time.monotonic()
        changes: list[tuple[Layer[S, Any, Any], Diff[Any, Any]]] = []
        source: S | OSError
        try:
            source = self._source()
        except Exception as error:  # the loop must outlive it; what is there stays as it is
            source = OSError(str(error) or type(error).__name__)
        for layer in self._layers:
            mine = {key for name, key in keys if name == layer.name}
            whole = full or EVERYTHING in mine
            mine.discard(EVERYTHING)
            if (whole or mine) and (change := self._compare(layer, source, mine, whole=whole)):
                changes.append((layer, change))
        for layer, change in reversed(changes):
            self._apply(layer, Diff({}, {}, self._ripe(layer, change.delete, deleting=deleting)))
        for layer, change in changes:
            self._apply(layer, Diff(change.create, change.change, {}))
        self._metrics.passed(full=full, seconds=time.monotonic() - began, failing=len(self._failures))

    def _ripe(self, layer: Layer[S, Any, Any], delete: Mapping[Any, Any], *, deleting: bool) -> Mapping[Any, Any]:
        """Return what is deleted now; the rest waits for company.  What failed before has waited already."""
        if deleting or not layer.patience or not delete:
            return delete
        with self._wake:
            ripe = {key: was for key, was in delete.items() if (layer.name, key) in self._failures}
        if young := [key for key in delete if key not in ripe]:
            self._later.update((layer.name, key) for key in young)
            self._later_due = min(self._later_due, time.monotonic() + layer.patience)
        return ripe

    def _compare(
        self, layer: Layer[S, Any, Any], source: S | OSError, keys: Collection[Any], *, whole: bool
    ) -> Diff[Any, Any] | None:
        """Return the difference of `keys`, or of the whole layer; None where it cannot be read."""
        try:
            if isinstance(source, OSError):
                raise source  # noqa: TRY301  # each layer notes it
            actual = layer.actuator.read(None if whole else keys)
            every = layer.planner.keys(source) if whole else keys
        except Exception as error:  # other layers go on, this one is tried again
            self._note(layer, (), dict.fromkeys([*keys, EVERYTHING] if whole else keys, error))
            return None
        wanted, broken = plan(layer.planner, source, every)
        there = {key: is_ for key, is_ in actual.items() if key not in broken and (whole or key in keys)}
        change = diff(wanted, there)
        ill = {*broken, *change.create, *change.change, *change.delete}
        if whole:
            self._unread.discard(layer.name)
            with self._wake:
                keys = [key for _, key in self._failures.of(layer.name)]
        self._note(layer, [key for key in keys if key not in ill], broken)
        return change

    def _apply(self, layer: Layer[S, Any, Any], change: Diff[Any, Any]) -> None:
        if change:
            touched = {*change.create, *change.change, *change.delete}
            failed = attempt(layer.actuator, change)
            self._note(layer, [key for key in touched if key not in failed], failed)
            self._metrics.changed(
                layer.name, created=len(change.create), changed=len(change.change), deleted=len(change.delete)
            )

    def _note(self, layer: Layer[S, Any, Any], well: Collection[Any], failed: Mapping[Any, str | Exception]) -> None:
        """Keep what failed, forget what is well, log what is news."""
        news: dict[str, list[Any]] = {}
        now = time.monotonic()
        with self._wake:
            recovered = [key for key in well if self._failures.remove((layer.name, key)) is not None]
            for key, why in failed.items():
                reason = str(why) or type(why).__name__
                if self._failures.add((layer.name, key), reason, now):
                    news.setdefault(reason, []).append(key)
        if recovered:
            log.info("well again", layer=layer.name, count=len(recovered), keys=[str(key) for key in recovered[:5]])
        for reason, keys in news.items():
            why = failed[keys[0]]
            bug = why if isinstance(why, Exception) and not isinstance(why, OSError) else None
            told = [str(key) for key in keys[:5]]
            log.warning("failing", layer=layer.name, reason=reason, count=len(keys), keys=told, exc_info=bug)
