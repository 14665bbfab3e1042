"""One backend on one host: its loop, its worker, who looks whether it lives.  Nothing here touches another backend."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from daemonkit.loop import Key, Layer, Loop
from daemonkit.metrics import LoopMetrics
from records.model import Backend, Volume, VolumeId
from records.snapshot import Records
from records.store import Store
from volplugin import mountinfo
from volplugin.disposal import Disposal
from volplugin.former import Former
from volplugin.leasing.table import Terms
from volplugin.mountinfo import Mounted
from volplugin.plan import binds as plan_binds
from volplugin.plan import chores as plan_chores
from volplugin.plan import rights as plan_rights
from volplugin.plan import share as plan_share
from volplugin.plan.needs import definition
from volplugin.plan.share import SHARE
from volplugin.sizes import ADVISORY
from volplugin.system.binds import Binds
from volplugin.system.chores import Chores
from volplugin.system.clearing import Clearing
from volplugin.system.look import look
from volplugin.system.rights import Rights
from volplugin.system.shares import Mounts, Shares
from volplugin.system.worker import HungError, StaleError, Worker, WorkerError

LOOK, LOOK_HUNG = 10.0, 2.0  # seconds between looks at a backend that answers, and at one that does not
LOOK_WITHIN = 5.0  # seconds for the answer
IDLE = 60.0  # seconds that a share nobody uses stays mounted: the next volume need not wait for it

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a keeper knows of its host."""

    name: str
    boot: str  # boot id
    directory: Path  # where mount points are
    mounts: Mounts = mountinfo.mounts
    worker: Callable[[str], Worker] = Worker  # made for each backend


class Keeper:
    """Keeps one backend's share and volumes on this host as the records ask."""

    def __init__(
        self,
        backend: Backend,
        host: Host,
        store: Store,
        *,
        resync: float,
        metrics: LoopMetrics,
        terms: Terms | None = None,
    ) -> None:
        """Keep a backend; leases that end are taken out of `terms`."""
        self.backend = backend
        self.worker = host.worker(backend.name)
        self.directory = host.directory / backend.name
        self.shares = Shares(backend, self.directory / SHARE, self.worker, host.mounts)
        self.binds = Binds(self.directory, self.shares, self.worker, Clearing(store, host.name, host.mounts))
        self.bound = plan_binds.Binds(host.name, host.boot, backend.id)
        chores = Chores(backend, self.shares, self.worker, store)
        self.disposal = Disposal(backend, host.name, self.shares, chores, store, worker=host.worker, resync=resync)
        leases = plan_rights.Rights(host.name, host.boot, backend.id)
        layers: list[Layer[Records, Any, Any]] = [
            Layer("share", plan_share.Shares(host.name, host.boot, backend.id), self.shares, patience=IDLE),
            Layer("chores", plan_chores.Chores(host.name, backend.id), chores),
            Layer("rights", leases, Rights(store, leases, terms, self._mounted)),
            Layer("binds", self.bound, self.binds),
        ]
        self.loop: Loop[Records] = Loop(layers, store.snapshot, resync=resync, metrics=metrics.part(backend.name))
        self.used: Mapping[VolumeId, int] = {}  # bytes of their sizes, of volumes that are mounted here
        self._records = store.snapshot
        self.size: Mapping[str, int] | None = None  # bytes, of the share when it was looked at last
        self._former = Former(self.directory, host.worker(backend.name), host.mounts, self._is_back)
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look_on, name=f"watch {backend.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.loop.start()
        self.disposal.start()
        self._watch.start()

    def stop(self) -> None:
        """End; what is mounted stays.  A loop that waits for a dead server is not waited for."""
        self._ended.set()
        self.worker.stop()
        self.disposal.stop()
        threading.Thread(target=self.loop.stop, name="stopping", daemon=True).start()

    def notice(self, volumes: Collection[VolumeId]) -> None:
        """Look at volumes whose records have changed."""
        keys: list[Key] = [(layer, volume) for volume in volumes for layer in ("chores", "rights", "binds")]
        self.loop.poke([("share", SHARE), *keys])
        self.disposal.poke(volumes)

    def retire(self) -> None:
        """End, of a backend that is no more: what is left of it is taken away; nobody waits for that."""
        self._former.start(after=self._end)

    def _end(self) -> None:
        self.stop()
        self.loop.stop()  # a pass that runs may still mount or unmount

    @property
    def problem(self) -> str | None:
        """Return why the backend cannot be used now, or None."""
        failing = self.loop.failures().get(("share", SHARE))
        return self.worker.problem or (failing.reason if failing is not None else None)

    def mountpoint(self, volume: VolumeId, table: Sequence[Mounted]) -> str:
        """Return where a volume is mounted by the table of mounts; empty where it is not."""
        target = str(self.binds.at(volume))
        return target if mountinfo.at(target, table) is not None else ""

    def _is_back(self) -> bool:
        return self._records().backends.one(name=self.backend.name) is not None

    def _mounted(self, volume: VolumeId) -> Path | None:
        return self.binds.at(volume) if self.binds.read([volume]) else None

    def shown(self, volume: Volume) -> Mounted | None:
        """Return a volume as it is mounted, or would be from the share that is; None where nothing is."""
        table, target = self.shares.mounts(), str(self.binds.at(volume.id))
        if (there := mountinfo.at(target, table)) is not None or (share := self.shares.among(table)) is None:
            return there
        return dataclasses.replace(share, root=f"{share.root.rstrip('/')}/{volume.path}", target=target)

    def bring(self, layer: str, volume: VolumeId, until: float) -> str | None:
        """Bring a volume to where the records want it; return why that failed, or None.

        `layer` is `chores` or `binds`; `until` is in monotonic seconds.
        """
        if (problem := self.worker.problem) is not None:
            return problem
        keys: list[Key] = [("share", SHARE), (layer, volume)]
        if layer == "binds":
            keys.append(("rights", volume))
            self.binds.doubt(volume)
        failed = self.loop.settle(keys, until, patient=False)
        if failed and self.shares.buried:  # found dead by this pass: the next one mounts it anew
            failed = self.loop.settle(keys, until, patient=False)
        return next(iter(failed.values()), None)

    def _look_on(self) -> None:
        while not self._ended.wait(LOOK_HUNG if self.worker.problem else LOOK):
            self._look()

    def _look(self) -> None:
        """Look whether the backend lives, and how full it is."""
        mounted, hung = self.shares.among(self.shares.mounts()) is not None, self.worker.problem is not None
        try:
            if mounted:
                self.size = self.worker.retry("alive", LOOK_WITHIN, target=str(self.shares.target))
                self.used = self._measured()
            elif hung:
                look(self.worker, self.backend)
        except StaleError:
            log.warning("share is dead", backend=self.backend.name)
            self.shares.bury()
            self.loop.poke([("share", SHARE)])
        except HungError:
            return
        except WorkerError as error:
            log.warning("backend ails", backend=self.backend.name, reason=str(error))
        if hung and self.worker.problem is None:
            self.loop.poke()

    def _measured(self) -> Mapping[VolumeId, int]:
        """Return what is used of the sizes of the volumes that are mounted here."""
        records = self._records()
        volumes = [records.volumes.rows[key] for key in self.bound.keys(records)]
        asked = {
            str(volume.id): (volume.path, volume.size_by, str(self.binds.at(volume.id)))
            for volume in volumes
            if volume.size_by not in {None, ADVISORY}
        }
        if not asked:
            return {}
        share, backend = str(self.shares.target), definition(self.backend)
        found = self.worker.call("used", LOOK_WITHIN, backend=backend, share=share, volumes=asked)
        return {volume.id: found[str(volume.id)] for volume in volumes if str(volume.id) in found}


def soon(seconds: float) -> float:
    """Return the monotonic time so many seconds from now."""
    return time.monotonic() + seconds
