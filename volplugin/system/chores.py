"""The actuator of chores: each is done at the backend, and then the volume's record says so."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import structlog

from daemonkit.diff import Diff
from records.errors import Conflict, RecordsError
from records.model import Backend, Volume, VolumeId
from records.store import Store
from records.writes import Update
from volplugin.options import size_mode
from volplugin.plan.chores import DONE, Outcome, Step, done, freed, step, trash_path
from volplugin.plan.needs import definition
from volplugin.system.shares import Shares
from volplugin.system.worker import HungError, StaleError, Worker, WorkerError

WITHIN = 30.0  # seconds for what does not grow with the data

log = structlog.get_logger()


class Chores:
    """What is to be done is never there: doing it ends it."""

    def __init__(self, backend: Backend, shares: Shares, worker: Worker, store: Store) -> None:
        self._backend = backend
        self._shares = shares
        self._worker = worker
        self._store = store
        self._at: VolumeId | None = None

    @property
    def at(self) -> VolumeId | None:
        """Which volume is worked on now: it is not deleted meanwhile."""
        return self._at

    @property
    def problem(self) -> str | None:
        """Why nothing can be done at the backend now, or None."""
        return self._worker.problem

    def read(self, keys: Collection[VolumeId] | None) -> Mapping[VolumeId, Volume]:  # noqa: ARG002
        """See `daemonkit.layer.Actuator`."""
        return {}

    def apply(self, change: Diff[VolumeId, Volume]) -> Mapping[VolumeId, str]:
        """See `daemonkit.layer.Actuator`."""
        failed = {}
        for key, volume in change.create.items():
            self._at = key
            try:
                outcome = self._do(volume)
                write = done(volume, outcome)
                self._store.commit([write, *freed(self._store.snapshot(), write)])
                if outcome.missing:
                    log.warning("data of a removed volume was missing", name=volume.name, path=volume.path)
                log.info("volume", name=volume.name, done=step(volume).name.lower(), backend=self._backend.name)
            except Conflict:  # somebody has changed his mind: that is looked at in the next pass
                continue
            except (WorkerError, RecordsError) as error:
                if isinstance(error, StaleError):
                    self._shares.bury()
                failed[key] = str(error)
                self.tell(volume, error)
            finally:
                self._at = None
        return failed

    def tell(self, volume: Volume, error: OSError | RecordsError) -> None:
        """Let the records say why, for who waits on any host; a backend that is away is no news of the volume."""
        if isinstance(error, HungError | StaleError | RecordsError) or volume.problem == str(error):
            return
        with contextlib.suppress(RecordsError):  # said at the next attempt
            self._store.commit([Update(volume, dataclasses.replace(volume, problem=str(error)))])

    def _do(self, volume: Volume) -> Outcome:
        backend, mark = definition(self._backend), str(volume.id)
        match step(volume):
            case Step.MAKE:
                made = self._call("make", backend=backend, path=volume.path, mark=_mark(volume), **_top(volume))
                return Outcome(size_by=made["size_by"])
            case Step.ADOPT:
                self._call("adopt", path=volume.path, mark=_mark(volume))
            case Step.FORGET:
                self._call("forget", path=volume.path, volume=mark)
            case Step.DISCARD:
                return Outcome(**self._call("rename", old=volume.path, new=trash_path(volume), volume=mark))
            case Step.RESTORE:
                if self._call("rename", old=trash_path(volume), new=volume.path, volume=mark)["missing"]:
                    raise WorkerError(f"its data is missing: there is neither {trash_path(volume)} nor {volume.path}")
            case Step.GROW:
                asked = {"path": volume.path, "size": volume.size, "size_by": volume.size_by}
                self._call("grow", backend=backend, **asked)
            case Step.CONDEMN | Step.DELETE:
                pass
        return DONE

    def _call(self, verb: str, **arguments: Any) -> Any:
        return self._worker.call(verb, WITHIN, share=self._shares.needed(), **arguments)


def _mark(volume: Volume) -> dict[str, Any]:
    return {"volume": str(volume.id), "name": volume.name, "epoch": volume.epoch, "created": volume.created}


def _top(volume: Volume) -> dict[str, Any]:
    limit = {} if volume.size is None else {"size": volume.size, "size_mode": str(size_mode(volume.options))}
    return {"uid": volume.uid, "gid": volume.gid, "mode": volume.mode, **limit}
