"""The clock of the trash: what has been there for its time is deleted, by the host that is its steward."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable

import structlog

from records.errors import RecordsError
from records.model import Volume, VolumeState
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Update, Write
from volplugin.backends import common

SWEEP = 30.0  # seconds between looks

log = structlog.get_logger()


class Sweeper:
    """Looks into the trash, in a thread of its own."""

    def __init__(self, store: Store, host: str, trash_for: float, now: Callable[[], float]) -> None:
        """Delete after `trash_for` seconds, where the backend says nothing else; `now` is in seconds since 1970."""
        self._store = store
        self._host = host
        self._trash_for = trash_for
        self._now = now
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def sweep(self) -> None:
        """Have everything deleted whose time is over."""
        for volume in expired(self._store.snapshot(), self._host, self._trash_for, self._now()):
            log.info("volume has been in the trash for its time", name=volume.name, id=str(volume.id))
            decide(self._store, functools.partial(_condemn, volume))

    def _run(self) -> None:
        while not self._stopping.wait(min(SWEEP, self._trash_for / 2)):
            try:
                self.sweep()
            except RecordsError as error:
                log.warning("trash not looked through", reason=str(error))


def expired(records: Records, host: str, trash_for: float, now: float) -> list[Volume]:
    """Return what `host` is to delete of the trash at `now`, in seconds since 1970; pure.

    A clock that was set back lets things stay longer, one that was set forward ends their time earlier.
    """
    own = records.hosts.one(name=host)
    found = []
    for volume in records.volumes.of(steward=own.id) if own is not None else ():
        backend = records.backends.get(volume.backend)
        if volume.state is VolumeState.TRASHED and backend is not None:
            stays = common.trash_for(backend.options, trash_for)
            if volume.removed / 1000 + stays <= now:
                found.append(volume)
    return found


def _condemn(seen: Volume, records: Records) -> tuple[list[Write], None]:
    """Return the write, where nobody has brought the volume back meanwhile."""
    now = records.volumes.get(seen.id)
    if now is None or now.state is not VolumeState.TRASHED or now.removed != seen.removed:
        return [], None
    return [Update(now, dataclasses.replace(now, state=VolumeState.DELETING))], None
