"""Records of volumes for tests."""

from __future__ import annotations

import dataclasses
import uuid

from records.memory import MemoryStore
from records.model import Backend, BackendId, Volume, VolumeState
from records.writes import Update
from volplugin.holders import Holders
from volplugin.plan.chores import done
from volplugin.volumes import Volumes

BOOT = "b007"


def backend(name: str, kind: str = "nfs", source: str = "srv:/export") -> Backend:
    return Backend(id=BackendId(uuid.uuid4()), name=name, kind=kind, source=source)


def volumes(store: MemoryStore, host: str = "a", *, default: str = "", now: float = 1000.0) -> Volumes:
    return Volumes(store, host, default=default, shared=lambda backend: backend.kind != "local", now=lambda: now)


def holders(store: MemoryStore, host: str = "a", boot: str = BOOT) -> Holders:
    return Holders(store, host, boot, now=lambda: 1000.0)


def ready(store: MemoryStore, name: str, host: str = "a", **given: str) -> None:
    """Make a volume whose data is there."""
    made = volumes(store, host).create(name, given)
    store.commit([Update(made, dataclasses.replace(made, state=VolumeState.READY))])


def trashed(store: MemoryStore, name: str, on: str = "a", at: float = 1000.0, **given: str) -> Volume:
    """Make a volume and remove it, to the end."""
    ready(store, name, on, **given)
    volumes(store, on, now=at).remove(name)
    (gone,) = (v for v in store.snapshot().volumes if v.state is VolumeState.REMOVING)
    store.commit([done(gone)])
    found = store.snapshot().volumes.get(gone.id)
    assert found is not None
    return found
