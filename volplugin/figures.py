"""Figures of backends and volumes for Prometheus, beside those that every daemon has (`daemonkit.metrics`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from daemonkit.metrics import BUCKETS
from records.store import Store
from volplugin.health import health
from volplugin.keeper import Keeper
from volplugin.system.worker import HungError, Worker, WorkerError


class Calls:
    """How long the workers take for what they are asked, and with what result: ok, failed, hung."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Histogram(
            "moorage_backend_call_seconds",
            "Work at a backend: mount, unmount, bind, alive, probe, make, rename, delete ...",
            ["backend", "verb", "result"],
            buckets=(*BUCKETS, 30.0, 60.0),
            registry=registry,
        )

    def worker(self, backend: str) -> Worker:
        """Return a worker whose calls are measured."""
        return _Measured(backend, self._calls)


class _Measured(Worker):
    def __init__(self, backend: str, calls: Histogram) -> None:
        super().__init__(backend)
        self._calls = calls

    def _call(self, verb: str, within: float, arguments: dict[str, Any]) -> Any:
        began, result = time.monotonic(), "ok"
        try:
            return super()._call(verb, within, arguments)
        except HungError:
            result = "hung"
            raise
        except WorkerError:
            result = "failed"
            raise
        finally:
            self._calls.labels(self._backend, verb, result).observe(time.monotonic() - began)


class Figures(Collector):
    """What there is now, looked at when somebody asks; nothing here waits for a backend's server."""

    def __init__(self, store: Store, keepers: Callable[[], Iterable[Keeper]], host: str) -> None:
        self._store = store
        self._keepers = keepers
        self._host = host

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return nothing: a look before the records are there is none of ours."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the figures of each backend."""
        up = _gauge("up", "1: the backend can be used on this host.")
        hung = _gauge("hung", "1: it does not answer, and calls fail at once (breaker).")
        mounted = _gauge("mounted", "1: its share is mounted on this host.")
        bound = _gauge("mounted_volumes", "Volumes mounted on this host.")
        space = _gauge("bytes", "Space of its share, when it was looked at last.", "of")
        volumes = _gauge("volumes", "Volumes in the records, of all hosts.", "state")
        holders = _gauge("holders", "Containers of this host that use its volumes.")
        for keeper in self._keepers():
            name, found = keeper.backend.name, health(keeper, keeper.shares.mounts())
            up.add_metric([name], found["problem"] is None)
            hung.add_metric([name], found["hung"])
            mounted.add_metric([name], found["mounted"])
            bound.add_metric([name], found["volumes_mounted"])
            for of, count in (found["size"] or {}).items():
                space.add_metric([name, of], count)
            self._count(keeper, volumes, holders)
        yield from (up, hung, mounted, bound, space, volumes, holders)

    def _count(self, keeper: Keeper, volumes: GaugeMetricFamily, holders: GaugeMetricFamily) -> None:
        records = self._store.snapshot()
        host = records.hosts.one(name=self._host)
        states: dict[str, int] = {}
        held = 0
        for volume in records.volumes.of(backend=keeper.backend.id):
            states[str(volume.state)] = states.get(str(volume.state), 0) + 1
            held += sum(1 for h in records.holders.of(volume=volume.id) if host is not None and h.host == host.id)
        for state, count in sorted(states.items()):
            volumes.add_metric([keeper.backend.name, state], count)
        holders.add_metric([keeper.backend.name], held)


def _gauge(name: str, what: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"moorage_backend_{name}", what, labels=["backend", *labels])
