"""The volume plugin as Docker sees it: application, real keepers and loops, records in memory, a machine of tests."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Flask

from daemonkit.metrics import Metrics
from records.hosts import ensure_host
from records.memory import MemoryStore
from records.model import Backend, BackendId, Volume
from records.snapshot import Records
from records.store import COMMIT_WITHIN, Change, Store, Watcher
from records.writes import Delete, Insert, Write
from tests.docker_calls import Calls
from tests.volume_machine import FakeMachine, Life, Machine
from tests.waiting import until
from volplugin.app import application
from volplugin.doubts import Doubts
from volplugin.driver import VolumeDriver
from volplugin.holders import Holders
from volplugin.keeper import Host, Keeper
from volplugin.keepers import Keepers
from volplugin.leftovers import Leftovers
from volplugin.volumes import Volumes

HOST, BOOT = "a", "b007"
BACKEND = "disk"


def mount_id(number: int) -> str:
    """Return an id of a mount like Docker's: 64 hex digits."""
    return f"{number:04x}" * 16


class VolumePlugin(Calls):
    """The daemon of one host, to be called as dockerd calls it; it can be killed, and started again."""

    def __init__(
        self,
        store: Store | None = None,
        machine: Machine | None = None,
        *,
        host: str = HOST,
        boot: str = BOOT,
        shared: bool = False,
        now: float = 1000.0,
    ) -> None:
        """Make the daemon; with `shared` its local backends are taken for ones that all hosts reach."""
        self.store: Store = store or MemoryStore()
        self.machine = machine or FakeMachine()
        self.host = host
        self.boot = boot
        self.shared = shared
        self.now = now  # seconds since 1970
        self.listed: dict[str, int] = {}  # what Docker tells: mounts of running containers by volume
        self.seen: dict[str, int] = {}  # what the kernel tells: mount namespaces by volume
        self.after = 0.0  # seconds of doubt
        self.life = Life()
        self.app = Flask("not started")

    def start(self, die_at: int | None = None) -> None:
        """Start the daemon, which dies at the step of that number: each commit and each verb are two steps."""
        self.life = Life(die_at)
        life, store = self.life, _MortalStore(self.store, self.life)
        host = Host(
            name=self.host,
            boot=self.boot,
            directory=self.machine.directory,
            mounts=self.machine.mounts,
            worker=lambda backend: self.machine.worker(backend, life),
        )
        metrics = Metrics("test", "0")
        self.keepers = Keepers(lambda backend: Keeper(backend, host, store, resync=3600.0, metrics=metrics.loop))
        self.leftovers = Leftovers(store, host)  # not started: it is the tests' to do
        volumes = Volumes(store, self.host, default="", shared=lambda _: self.shared, now=self._clock)
        holders = Holders(store, self.host, self.boot, now=self._clock)
        self.doubts = Doubts(
            store,
            host,
            holders,
            listed=lambda: dict(self.listed),
            seen=lambda volume: self.seen.get(volume.name, 0),
            after=self.after,
        )
        self.driver = VolumeDriver(store, volumes, holders, self.keepers, self.doubts, mounts=self.machine.mounts)
        self.app = application("moorage-volplugin", self.driver, metrics)
        store.watch(lambda changes: self.keepers.notice(changes, store.snapshot()))
        self.keepers.notice([Change(None, backend) for backend in self.records.backends], self.records)

    def stop(self) -> None:
        """Kill the daemon: nothing of it has any effect any more."""
        self.life.ended = True
        keepers = list(self.keepers)
        self.keepers.stop()
        for keeper in keepers:
            keeper.loop.stop()
            keeper.disposal.loop.stop()

    def restart(self, die_at: int | None = None) -> None:
        """Kill the daemon, if it lives, and start it again."""
        self.stop()
        self.start(die_at)

    def _clock(self) -> float:
        self.now += 1
        return self.now

    @property
    def records(self) -> Records:
        return self.store.snapshot()

    def backend(self, name: str = BACKEND) -> Backend:
        """Let the operator define a local backend."""
        made = Backend(id=BackendId(uuid.uuid4()), name=name, kind="local", source=self.machine.source(name))
        self.store.commit([Insert(made)])
        return made

    def drop(self, backend: Backend) -> None:
        """Let the operator take a backend back."""
        self.store.commit([Delete(backend)])

    # What dockerd asks.

    def create(self, name: str, **options: str) -> None:
        self.call("VolumeDriver.Create", Name=name, Opts=options)

    def mount(self, name: str, number: int) -> str:
        """Mount for a container; return where."""
        return str(self.call("VolumeDriver.Mount", Name=name, ID=mount_id(number))["Mountpoint"])

    def unmount(self, name: str, number: int) -> None:
        self.call("VolumeDriver.Unmount", Name=name, ID=mount_id(number))

    def remove(self, name: str) -> None:
        self.call("VolumeDriver.Remove", Name=name)

    def get(self, name: str) -> dict[str, Any]:
        found = self.call("VolumeDriver.Get", Name=name)["Volume"]
        assert isinstance(found, dict)
        return found

    # What is there.

    def volume(self, name: str) -> Volume:
        found = self.records.volumes.one(name=name, removed=0)
        assert found is not None
        return found

    def mounted(self) -> list[str]:
        """Return where volumes are mounted; the shares of backends, which stay a while, are not among them."""
        top = f"{self.machine.directory}/"
        return sorted(
            m.target for m in self.machine.mounts() if m.target.startswith(top) and not m.target.endswith("/share")
        )

    def counts(self, name: str) -> dict[int, int]:
        """Return how often each use of a volume is counted on this host."""
        own, volume = self.records.hosts.one(name=self.host), self.volume(name)
        assert own is not None
        return {
            int(holder.mount[:4], 16): holder.count
            for holder in self.records.holders.of(volume=volume.id)
            if holder.host == own.id
        }

    def wanted(self) -> list[str]:
        """Return where volumes should be mounted."""
        return sorted(str(keeper.binds.at(key)) for keeper in self.keepers for key in keeper.bound.keys(self.records))

    def settled(self) -> None:
        """Wait until what is mounted is what the records want, and no chore is left."""
        until(lambda: self.mounted() == self.wanted())


class _MortalStore:
    """The records as one run of the daemon sees them."""

    def __init__(self, store: Store, life: Life) -> None:
        self._store = store
        self._life = life

    def snapshot(self) -> Records:
        return self._store.snapshot()

    def commit(self, writes: Sequence[Write], *, within: float = COMMIT_WITHIN) -> Records:
        self._life.step()
        after = self._store.commit(writes, within=within)
        self._life.step()
        return after

    def watch(self, watcher: Watcher) -> None:
        self._store.watch(lambda changes: None if self._life.ended else watcher(changes))

    def lock(self, name: str) -> Any:
        return self._store.lock(name)

    def problem(self) -> str | None:
        return self._store.problem()

    def close(self) -> None:
        """Leave it to the next run."""


@contextlib.contextmanager
def volume_plugin(*, backends: Sequence[str] = (BACKEND,), **arguments: Any) -> Iterator[VolumePlugin]:
    """Run a plugin whose host has its record, with local backends."""
    made = VolumePlugin(**arguments)
    ensure_host(made.store, made.host, "volplugin", "0")
    made.start()
    for name in backends:
        made.backend(name)
    try:
        yield made
    finally:
        made.stop()
