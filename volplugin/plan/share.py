"""Whether this host needs a backend's share, and which."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection
from typing import Final

from records.model import Backend, BackendId
from records.snapshot import Records
from volplugin.plan.needs import chores, deletions, held

SHARE: Final = "share"  # the layer's only key


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """A share as it is mounted; `alive` is False where what was mounted is dead."""

    backend: Backend
    alive: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Shares:
    """Planner of one backend's share on one host."""

    host: str
    boot: str
    backend: BackendId

    def keys(self, source: Records) -> Collection[str]:
        """See `daemonkit.layer.Planner`."""
        return [SHARE] if self.want(source, SHARE) is not None else []

    def want(self, source: Records, key: str) -> Share | None:
        """See `daemonkit.layer.Planner`."""
        backend = source.backends.get(self.backend)
        if backend is None or key != SHARE:
            return None
        users = itertools.chain(
            held(source, self.host, self.boot, self.backend),
            chores(source, self.host, self.backend),
            deletions(source, self.host, self.backend),
        )
        return None if next(users, None) is None else Share(backend)
