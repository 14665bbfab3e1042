"""What stands before the unmounting of a volume that is not shared: that really nobody uses it any more."""

from __future__ import annotations

import time
from pathlib import Path

import structlog

from records.model import Access, VolumeId
from records.store import Store
from volplugin import mountinfo
from volplugin.leasing.freezer import kill
from volplugin.namespaces import users
from volplugin.plan.needs import entitled
from volplugin.system.shares import Mounts
from volplugin.system.worker import WorkerError

WITHIN = 3.0  # seconds for killed processes to end

log = structlog.get_logger()


class Clearing:
    """Of one host.  What Docker says has ended has ended, or is waited for; what lost the lease is killed."""

    def __init__(self, store: Store, host: str, mounts: Mounts) -> None:
        self._store = store
        self._host = host
        self._mounts = mounts

    def __call__(self, volume: VolumeId, at: Path) -> None:
        """Return when nobody uses the volume.

        Raises:
            WorkerError: somebody does.

        """
        records = self._store.snapshot()
        own, known = records.hosts.one(name=self._host), records.volumes.get(volume)
        there = mountinfo.at(str(at), self._mounts())
        if known is None or own is None or there is None or known.access is Access.SHARED:
            return
        using, until = users(there), time.monotonic() + WITHIN
        if using and not entitled(records, known, own):
            log.warning("containers killed: their host has lost the volume", volume=known.name, processes=len(using))
            while using and time.monotonic() < until:
                kill(using)
                time.sleep(0.05)
                using = users(there)
        if using:
            raise WorkerError(f"volume {known.name} is still used by processes {', '.join(map(str, using[:5]))}")
