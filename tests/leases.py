"""Hosts that share leases, for tests: real holders and renewals over records in memory, with clocks of the test's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from daemonkit.diff import diff
from records.errors import Unavailable
from records.hosts import ensure_host
from records.memory import MemoryStore
from records.model import Backend, VolumeId
from records.snapshot import Records
from records.store import COMMIT_WITHIN, Watcher
from records.writes import Write
from tests.volumes import BOOT
from volplugin.holders import Holders
from volplugin.leasing.granting import Grants
from volplugin.leasing.renewals import Renewals
from volplugin.leasing.table import Leasing, Terms
from volplugin.leasing.terms import Step, step
from volplugin.plan import rights as plan_rights
from volplugin.system.rights import Rights


class Link:
    """One host's connection to the records: it can be cut, and can lose answers; `crossing` is called on the way."""

    def __init__(self, store: MemoryStore, crossing: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._crossing = crossing
        self._old: Records | None = None
        self.deaf = False  # commits take effect, but their answers are lost

    def cut(self) -> None:
        self._old = self._store.snapshot()

    def heal(self) -> None:
        self._old, self.deaf = None, False

    def snapshot(self) -> Records:
        return self._old or self._store.snapshot()

    def commit(self, writes: Sequence[Write], *, within: float = COMMIT_WITHIN) -> Records:
        self._crossing()
        if self._old is not None:
            raise Unavailable("cut")
        after = self._store.commit(writes, within=within)
        self._crossing()
        if self.deaf:
            raise Unavailable("no answer")
        return after

    def watch(self, watcher: Watcher) -> None:
        self._store.watch(watcher)

    def lock(self, name: str) -> Any:
        return self._store.lock(name)

    def problem(self) -> str | None:
        return None

    def close(self) -> None:
        """There is nothing to end."""


@dataclasses.dataclass
class Member:
    """A host: what its volplugin is made of, as far as leases go.  `using` are volumes that its containers use."""

    name: str
    store: MemoryStore
    file: Path
    clock: Callable[[], float]
    seconds: int = 30
    crossing: Callable[[], None] = lambda: None
    servers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ensure_host(self.store, self.name, "volplugin", "0")
        self.link = Link(self.store, self.crossing)
        self.using: set[VolumeId] = set()
        self.start()

    def start(self) -> None:
        """Start the daemon, maybe again: it finds what it noted."""
        self.terms = Terms(self.file, BOOT)
        leasing = Leasing(self.seconds, self.terms, self.clock)
        self.renewals = Renewals(self.link, self.name, leasing, lambda _, volume: Path("/v", str(volume.id)))
        grants = Grants(
            self.name, leasing, self.renewals, lambda _, volume: Path("/v", str(volume.id)), lambda _: self.servers
        )
        self.holders = Holders(self.link, self.name, BOOT, now=lambda: 1000.0, granting=grants)

    def mount(self, name: str, container: str = "c" * 64) -> None:
        """Start a container with the volume."""
        self.using.add(self.holders.hold(name, container).id)

    def unmount(self, name: str, container: str = "c" * 64) -> None:
        """End it, and give the lease back if it was the last one."""
        if (volume := self.holders.release(name, container)) is not None:
            own = self.store.snapshot().hosts.one(name=self.name)
            assert own is not None
            if not any(h.host == own.id for h in self.store.snapshot().holders.of(volume=volume.id)):
                self.using.discard(volume.id)
        self.look_round()

    def look_round(self) -> None:
        """Do a pass of the loop's layer of leases over all backends."""
        for backend in self.link.snapshot().backends:
            self._pass(backend)

    def _pass(self, backend: Backend) -> None:
        planner = plan_rights.Rights(self.name, BOOT, backend.id)
        actuator = Rights(self.link, planner, self.terms, self._mounted)
        records = self.link.snapshot()
        wanted = {key: want for key in planner.keys(records) if (want := planner.want(records, key)) is not None}
        there = actuator.read(None)
        for key in there:
            if key not in wanted and not records.holders.of(volume=key):
                self.using.discard(key)
        actuator.apply(diff(wanted, there))

    def _mounted(self, volume: VolumeId) -> Path | None:
        return Path("/v", str(volume)) if volume in self.using else None

    def step(self, volume: VolumeId) -> Step:
        """Return what the guard does with the volume's containers now, and let it kill them."""
        term = self.terms.all().get(volume)
        found = Step.KILL if term is None else step(term.confirmed, term.seconds, self.clock())
        if found is Step.KILL:
            self.using.discard(volume)
        return found

    def writes(self, volume: VolumeId) -> bool:
        """Say whether a container can write now."""
        return volume in self.using and self.step(volume) is Step.GO_ON
