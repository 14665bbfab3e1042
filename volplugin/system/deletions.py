"""The actuator of deletions: data goes in slices, beside everything else that its backend does."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping

import structlog

from daemonkit.diff import Diff
from records.errors import Conflict, RecordsError
from records.model import Backend, Volume, VolumeId
from records.store import Store
from records.writes import Update
from volplugin.plan.chores import done, trash_path
from volplugin.plan.needs import definition
from volplugin.system.chores import Chores
from volplugin.system.shares import Shares
from volplugin.system.worker import Worker, WorkerError

SLICE = 5.0  # seconds that one volume's deletion goes on before others have their turn
SLICE_WITHIN = 900.0  # seconds: the deletion of one huge file is not divided
TOLD = 60.0  # seconds between reports of a deletion that goes on

log = structlog.get_logger()


class Deletions:
    """Deletes what is to be deleted; `again` asks for a further pass over what is not finished."""

    def __init__(
        self,
        backend: Backend,
        shares: Shares,
        chores: Chores,
        store: Store,
        *,
        worker: Worker,
        again: Callable[[VolumeId], None],
    ) -> None:
        self._backend = backend
        self._shares = shares
        self._chores = chores
        self._worker = worker
        self._store = store
        self._again = again
        self._told: dict[VolumeId, float] = {}
        self.deleted: dict[VolumeId, int] = {}  # files and directories so far, of what is not finished

    def read(self, keys: Collection[VolumeId] | None) -> Mapping[VolumeId, Volume]:  # noqa: ARG002
        """See `daemonkit.layer.Actuator`."""
        return {}

    def apply(self, change: Diff[VolumeId, Volume]) -> Mapping[VolumeId, str]:
        """See `daemonkit.layer.Actuator`."""
        failed = {}
        for key, volume in change.create.items():
            try:
                if self._slice(volume):
                    self._store.commit([done(volume)])
                    log.info("volume deleted", name=volume.name, id=str(key), entries=self.deleted.pop(key, 0))
                    self._told.pop(key, None)
                else:
                    self._again(key)
            except Conflict:
                continue
            except (WorkerError, RecordsError) as error:
                failed[key] = str(error)
        return failed

    def stop(self) -> None:
        """End the process; what it was deleting goes on with the next one."""
        self._worker.stop()

    def _slice(self, volume: Volume) -> bool:
        """Delete a part of a volume; return whether that was all."""
        if (problem := self._chores.problem) is not None:
            raise WorkerError(problem)
        if self._chores.at == volume.id:
            raise WorkerError("something else is done with it at this moment")
        try:
            result = self._worker.retry(
                "delete",
                SLICE_WITHIN,
                backend=definition(self._backend),
                share=self._shares.needed(),
                paths=[trash_path(volume), volume.path],  # of one that was never made, the latter
                volume=str(volume.id),
                seconds=SLICE,
            )
        except WorkerError as error:
            self._chores.tell(volume, error)
            raise
        self.deleted[volume.id] = self.deleted.get(volume.id, 0) + result["entries"]
        self._tell(volume)
        if volume.problem is not None and not result["done"]:
            self._store.commit([Update(volume, dataclasses.replace(volume, problem=None))])
        return bool(result["done"])

    def _tell(self, volume: Volume) -> None:
        now = time.monotonic()
        if now - self._told.setdefault(volume.id, now) >= TOLD:
            self._told[volume.id] = now
            log.info("volume is being deleted", name=volume.name, entries=self.deleted[volume.id])
