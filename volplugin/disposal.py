"""Deletions of one backend on one host: a loop and a worker of their own, for mounts must not wait for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from daemonkit.loop import Layer, Loop
from daemonkit.metrics import LoopMetrics
from records.model import Backend, VolumeId
from records.snapshot import Records
from records.store import Store
from volplugin.plan import chores as plan
from volplugin.system.chores import Chores
from volplugin.system.deletions import Deletions
from volplugin.system.shares import Shares
from volplugin.system.worker import Worker

LAYER: Final = "deletions"


class Disposal:
    """Deletes the data of a backend's volumes that are to go, as long as that takes."""

    def __init__(
        self,
        backend: Backend,
        host: str,
        shares: Shares,
        chores: Chores,
        store: Store,
        *,
        worker: Callable[[str], Worker],
        resync: float,
    ) -> None:
        self._deletions = Deletions(
            backend, shares, chores, store, worker=worker(backend.name), again=lambda key: self.poke([key])
        )
        layers: list[Layer[Records, Any, Any]] = [Layer(LAYER, plan.Deletions(host, backend.id), self._deletions)]
        self.loop: Loop[Records] = Loop(layers, store.snapshot, resync=resync, metrics=LoopMetrics.unregistered())

    @property
    def deleted(self) -> Mapping[VolumeId, int]:
        """How many files and directories are deleted so far, of volumes that are not finished."""
        return dict(self._deletions.deleted)

    def start(self) -> None:
        """Begin."""
        self.loop.start()

    def poke(self, volumes: Collection[VolumeId]) -> None:
        """Look at these volumes."""
        self.loop.poke([(LAYER, volume) for volume in volumes])

    def stop(self) -> None:
        """End, without waiting; what is not finished goes on when the daemon runs again."""
        for end in (self._deletions.stop, self.loop.stop):
            threading.Thread(target=end, name="stopping", daemon=True).start()
