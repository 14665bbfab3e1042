"""The actuator of chores: each is done at the backend, and then the volume's record says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import structlog

from daemonkit.diff import Diff
from records.errors import Conflict, RecordsError
from records.model import Backend, Retain, Volume, VolumeId, VolumeState
from records.store import Store
from volplugin.plan.chores import done, trash_path
from volplugin.plan.needs import definition
from volplugin.system.shares import Shares
from volplugin.system.worker import StaleError, Worker, WorkerError

WITHIN = 30.0  # seconds for what does not grow with the data
DELETE_WITHIN = 3600.0  # seconds for a whole tree

log = structlog.get_logger()


class Chores:
    """What is to be done is never there: doing it ends it."""

    def __init__(self, backend: Backend, shares: Shares, worker: Worker, store: Store) -> None:
        self._backend = backend
        self._shares = shares
        self._worker = worker
        self._store = store

    def read(self, keys: Collection[VolumeId] | None) -> Mapping[VolumeId, Volume]:  # noqa: ARG002
        """See `daemonkit.layer.Actuator`."""
        return {}

    def apply(self, change: Diff[VolumeId, Volume]) -> Mapping[VolumeId, str]:
        """See `daemonkit.layer.Actuator`."""
        failed = {}
        for key, volume in change.create.items():
            try:
                self._do(volume)
                self._store.commit([done(volume)])
                log.info("volume", name=volume.name, done=str(volume.state), backend=self._backend.name)
            except StaleError as error:
                self._shares.bury()
                failed[key] = str(error)
            except Conflict:  # somebody has changed his mind: that is looked at in the next pass
                continue
            except (WorkerError, RecordsError) as error:
                failed[key] = str(error)
        return failed

    def _do(self, volume: Volume) -> None:
        if volume.state is VolumeState.REMOVING and volume.retain is Retain.KEEP:
            return  # its data stays where it is
        backend, mark = definition(self._backend), str(volume.id)
        match volume.state:
            case VolumeState.MAKING:
                self._call("make", backend=backend, path=volume.path, mark=_mark(volume), **_top(volume))
            case VolumeState.REMOVING:
                self._call("rename", old=volume.path, new=trash_path(volume), volume=mark)
            case VolumeState.RESTORING:
                self._call("rename", old=trash_path(volume), new=volume.path, volume=mark)
            case VolumeState.DELETING:
                paths = [trash_path(volume), volume.path]  # of one that was never made, the latter
                self._call("delete", DELETE_WITHIN, backend=backend, paths=paths, volume=mark)

    def _call(self, verb: str, within: float = WITHIN, **arguments: Any) -> None:
        self._worker.call(verb, within, share=self._shares.needed(), **arguments)


def _mark(volume: Volume) -> dict[str, Any]:
    return {"volume": str(volume.id), "name": volume.name, "epoch": volume.epoch, "created": volume.created}


def _top(volume: Volume) -> dict[str, Any]:
    return {"uid": volume.uid, "gid": volume.gid, "mode": volume.mode}
