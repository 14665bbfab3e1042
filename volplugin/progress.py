"""Waiting for what the steward's daemon makes of a volume's state, from any process that has the records."""

from __future__ import annotations

import time

from daemonkit.errors import Failed
from records.model import Volume, VolumeId
from records.store import Store
from volplugin.plan.needs import at_rest

LOOK = 0.05  # seconds between looks into the records, which are in memory


def outcome(store: Store, volume: VolumeId, within: float) -> Volume | None:
    """Return the volume when nothing is to be done for it any more, None when it has gone.

    Raises:
        Failed: it cannot be done, at least not now, or `within` seconds were not enough; the steward goes on trying.

    """
    until = time.monotonic() + within
    while True:
        records = store.snapshot()
        found = records.volumes.get(volume)
        if found is None or at_rest(found):
            return found
        if found.problem is not None:
            raise Failed(f"volume {found.name}: {found.problem}")
        if time.monotonic() > until:
            host = records.hosts.get(found.steward)
            at = host.name if host is not None else "?"
            raise Failed(f"volume {found.name} is still {found.state} after {within:g} s; host {at} is to do it")
        time.sleep(LOOK)
