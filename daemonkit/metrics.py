"""Figures of a daemon for Prometheus: one `Metrics` value a daemon, passed by hand; nothing global."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class LoopMetrics:
    """Passes of the loop and what they changed.

    A daemon of several loops gives each its `part`: what fails is counted for all together, and layers have its name.
    """

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._passes = Histogram(
            "moorage_loop_pass_seconds", "Passes of the loop.", ["kind"], buckets=BUCKETS, registry=registry
        )
        self._failing = Gauge("moorage_loop_failing_keys", "Keys that are not as they should be.", registry=registry)
        self._changes = Counter(
            "moorage_loop_changes", "Things made, changed and deleted.", ["layer", "verb"], registry=registry
        )
        self._failing_in: dict[str, int] = {}  # part -> keys

    @classmethod
    def unregistered(cls) -> LoopMetrics:
        """Return figures that nobody reads: for loops in tests."""
        return cls(None)

    def part(self, name: str) -> LoopMetrics:
        """Return the figures of one of several loops."""
        return _Part(self, name)

    def passed(self, *, full: bool, seconds: float, failing: int, part: str = "") -> None:
        """Count a pass."""
        self._passes.labels("full" if full else "keys").observe(seconds)
        self._failing_in[part] = failing
        self._failing.set(sum(self._failing_in.copy().values()))

    def changed(self, layer: str, *, created: int, changed: int, deleted: int) -> None:
        """Count what a layer was asked to change."""
        for verb, count in (("create", created), ("change", changed), ("delete", deleted)):
            if count:
                self._changes.labels(layer, verb).inc(count)


class _Part(LoopMetrics):
    def __init__(self, whole: LoopMetrics, name: str) -> None:
        self._whole, self._name = whole, name

    def passed(self, *, full: bool, seconds: float, failing: int, part: str = "") -> None:
        self._whole.passed(full=full, seconds=seconds, failing=failing, part=f"{self._name}{part}")

    def changed(self, layer: str, *, created: int, changed: int, deleted: int) -> None:
        self._whole.changed(f"{self._name}/{layer}", created=created, changed=changed, deleted=deleted)


class CallMetrics:
    """Calls of Docker: how many, how long, with what result (ok, refused, crashed, unknown)."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._calls = Histogram(
            "moorage_call_seconds", "Calls of Docker.", ["call", "result"], buckets=BUCKETS, registry=registry
        )

    def called(self, call: str, *, result: str, seconds: float) -> None:
        """Count a call."""
        self._calls.labels(call, result).observe(seconds)


def memory(pid: int) -> tuple[int, int]:
    """Return resident and proportional memory of a process in bytes; zeros where it may not be known."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0, 0
    found = {line.split()[0]: int(line.split()[1]) * 1024 for line in text.splitlines()[1:]}
    return found.get("Rss:", 0), found.get("Pss:", 0)


def age(pid: int) -> float:
    """Return for how many seconds a process exists; 0 where it does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    ticks = int(stat.rpartition(")")[2].split()[19])  # starttime, field 22 of proc_pid_stat(5)
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


class _Processes(Collector):
    def __init__(self, processes: Callable[[], dict[str, int]]) -> None:
        self._processes = processes

    def collect(self) -> Iterable[GaugeMetricFamily]:
        resident = GaugeMetricFamily("moorage_process_resident_bytes", "Resident memory.", labels=["process"])
        proportional = GaugeMetricFamily("moorage_process_pss_bytes", "Proportional memory.", labels=["process"])
        for name, pid in self._processes().items():
            rss, pss = memory(pid)
            resident.add_metric([name], rss)
            proportional.add_metric([name], pss)
        return [resident, proportional]


def _forked_from() -> int | None:
    """Return the process that this one is a fork of (it runs the same command), or None."""
    try:
        same = Path(f"/proc/{os.getppid()}/cmdline").read_bytes() == Path("/proc/self/cmdline").read_bytes()
    except OSError:
        return None
    return os.getppid() if same else None


class Metrics:
    """All figures of one daemon: of this process, and of the arbiter that holds its socket where there is one."""

    def __init__(self, daemon: str, version: str) -> None:
        self._daemon, self._version = daemon, version
        self.registry = CollectorRegistry()
        self.loop = LoopMetrics(self.registry)
        self.calls = CallMetrics(self.registry)
        self.processes = {daemon: os.getpid()}  # those whose memory counts as the daemon's
        if (arbiter := _forked_from()) is not None:
            self.processes["arbiter"] = arbiter
        self.more: Callable[[], Mapping[str, int]] = dict  # those that come and go, by name
        self.ready_seconds: float | None = None
        self._ready = Gauge("moorage_ready_seconds", "From the process' start until ready.", registry=self.registry)
        Gauge("moorage_daemon", "Which daemon this is.", ["daemon", "version"], registry=self.registry).labels(
            daemon, version
        ).set(1)
        self.registry.register(_Processes(lambda: {**self.processes, **self.more()}))

    def ready(self) -> None:
        """Note that the daemon serves from now on."""
        self.ready_seconds = max(age(pid) for pid in self.processes.values())
        self._ready.set(self.ready_seconds)

    def counter(self, name: str, what: str) -> Callable[[], None]:
        """Return a function that counts one more of something; `name` ends up with `_total` behind it."""
        return Counter(name, what, registry=self.registry).inc

    def memory(self) -> int:
        """Return the daemon's proportional memory in bytes, of all its processes."""
        return sum(memory(pid)[1] for pid in (*self.processes.values(), *self.more().values()))

    def about(self) -> dict[str, Any]:
        """Return what every daemon tells of itself: times in seconds, memory (proportional) in bytes."""
        seconds = max(age(pid) for pid in self.processes.values())
        return {
            "daemon": self._daemon,
            "version": self._version,
            "pid": os.getpid(),
            "since": round(time.time() - seconds),
            "seconds": round(seconds, 1),
            "ready_seconds": self.ready_seconds,
            "memory": self.memory(),
        }

    def text(self) -> bytes:
        """Return everything in Prometheus' text form."""
        return generate_latest(self.registry)
