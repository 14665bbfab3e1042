"""`moorage-volplugin`: how the volume plugin of a host is put together; reading it is reading its contents."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemonkit.config import Config
from daemonkit.daemon import run
from daemonkit.version import version

if TYPE_CHECKING:
    from flask import Flask

    from records.model import Backend, Volume
    from records.snapshot import Records
    from records.store import Change, Store
    from volplugin.keeper import Keeper

NAME = "moorage-volplugin"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Agent:
    """The parts of the daemon, made in the worker process."""

    def __init__(self, config: Config) -> None:
        from daemonkit.admin import AdminServer
        from daemonkit.metrics import Metrics
        from records.ovsdb import OvsdbStore
        from volplugin.docker import Docker
        from volplugin.doubts import Doubts
        from volplugin.driver import VolumeDriver
        from volplugin.figures import Calls, Figures
        from volplugin.holders import Holders
        from volplugin.keeper import Host
        from volplugin.keepers import Keepers
        from volplugin.leasing.granting import Grants
        from volplugin.leasing.guarding import Guarding
        from volplugin.leasing.renewals import Renewals
        from volplugin.leasing.table import Leasing, Terms
        from volplugin.leftovers import Leftovers
        from volplugin.sweeper import Sweeper
        from volplugin.volumes import Volumes

        self.config = config
        self.metrics = Metrics(NAME, version())
        self.host = Host(
            name=config.host_name(),
            boot=BOOT_ID.read_text().strip(),
            directory=Path(config.volplugin.directory),
            worker=Calls(self.metrics.registry).worker,
        )
        self.store: Store = OvsdbStore(config.records.remote)
        leases = Path(config.volplugin.admin).with_name("leases.json")
        self.terms = Terms(leases, self.host.boot, Guarding(leases, self.host.boot))
        leasing = Leasing(config.volplugin.lease, self.terms, _clock)
        self.renewals = Renewals(self.store, self.host.name, leasing, self._target)
        self.keepers = Keepers(self._keeper)
        volumes = Volumes(self.store, self.host.name, default=config.volplugin.backend, shared=_shared, now=time.time)
        grants = Grants(self.host.name, leasing, self.renewals, self._target, _servers)
        self.holders = Holders(self.store, self.host.name, self.host.boot, now=time.time, granting=grants)
        self.sweeper = Sweeper(self.store, self.host.name, config.volplugin.trash_for, now=time.time)
        self.leftovers = Leftovers(self.store, self.host)
        docker, driver = Docker(config.volplugin.docker), Path(config.volplugin.socket).stem  # PROTOCOL rule 1
        self.doubts = Doubts(
            self.store,
            self.host,
            self.holders,
            listed=lambda: docker.used(driver),
            seen=self._seen,
            after=config.volplugin.forget_after,
        )
        self.driver = VolumeDriver(self.store, volumes, self.holders, self.keepers, self.doubts)
        self.metrics.more = self._workers
        self.metrics.registry.register(Figures(self.store, lambda: self.keepers, self.host.name))
        self.admin = AdminServer(config.volplugin.admin, self._status, self.metrics)
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the threads; none of them is waited for, so that Docker's boot never waits for others (rule 2)."""
        from records.hosts import keep_trying

        self.store.watch(self._notice)
        self.renewals.start()
        self.admin.start()
        self.sweeper.start()
        self.leftovers.start()
        keep_trying(self.store, self.host.name, "volplugin", version(), self._stopping)
        self.doubts.start()

    def stop(self) -> None:
        """End the threads; what is mounted stays: containers go on without us."""
        self._stopping.set()
        self.holders.stop()
        self.renewals.stop()
        self.sweeper.stop()
        self.leftovers.stop()
        self.doubts.stop()
        self.keepers.stop()
        self.admin.stop()
        self.store.close()

    def app(self) -> Flask:
        """Return what Docker talks to."""
        from volplugin.app import application

        return application(NAME, self.driver, self.metrics)

    def _keeper(self, backend: Backend) -> Keeper:
        from volplugin.keeper import Keeper

        resync, metrics = self.config.volplugin.resync, self.metrics.loop
        return Keeper(backend, self.host, self.store, resync=resync, metrics=metrics, terms=self.terms)

    def _target(self, records: Records, volume: Volume) -> Path:
        backend = records.backends.get(volume.backend)
        return self.host.directory / (backend.name if backend is not None else "") / str(volume.id)

    def _seen(self, volume: Volume) -> int:
        from volplugin.namespaces import seen

        there = self.keepers.shown(volume)
        return 0 if there is None else seen(there)

    def _notice(self, changes: Sequence[Change]) -> None:
        self.keepers.notice(changes, self.store.snapshot())

    def _workers(self) -> dict[str, int]:
        """Return the processes beside this one, whose memory is the daemon's too."""
        found = ((f"worker {keeper.backend.name}", keeper.worker.pid) for keeper in self.keepers)
        return {name: pid for name, pid in found if pid is not None}

    def _status(self) -> dict[str, Any]:
        from volplugin import mountinfo
        from volplugin.health import health

        keepers, table = list(self.keepers), mountinfo.mounts()
        return {
            "host": self.host.name,
            "records": self.store.problem(),
            "in_sync": all(keeper.loop.in_sync for keeper in keepers),
            "failures": [
                {**failure, "layer": f"{keeper.backend.name}/{failure['layer']}"}
                for keeper in keepers
                for loop in (keeper.loop, keeper.disposal.loop)
                for failure in loop.status()["failures"]
            ],
            "backends": {keeper.backend.name: health(keeper, table) for keeper in keepers},
            "deletions": {str(key): count for keeper in keepers for key, count in keeper.disposal.deleted.items()},
        }


def _clock() -> float:
    """Return seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _servers(backend: Backend) -> list[str]:
    """Return the names or addresses of a backend's storage."""
    from volplugin.backends.kind import BadDefinition, Definition
    from volplugin.backends.registry import kind

    asked = Definition(name=backend.name, kind=backend.kind, source=backend.source, options=backend.options)
    try:
        return [server.address for server in kind(backend.kind).servers(asked)]
    except BadDefinition:
        return []


def _shared(backend: Backend) -> bool:
    """Say whether all hosts reach the same data there."""
    from volplugin.backends.registry import kind

    return kind(backend.kind).SHARED


def main() -> None:
    """Run the daemon until it is told to stop."""
    run(NAME, Agent, lambda config: config.volplugin)


if __name__ == "__main__":
    main()
