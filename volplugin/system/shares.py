"""The actuator of a backend's share on this host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from daemonkit.diff import Diff
from records.model import Backend
from volplugin import mountinfo
from volplugin.backends import registry
from volplugin.backends.common import own_options
from volplugin.backends.kind import BadDefinition, Definition
from volplugin.mountinfo import Mounted
from volplugin.plan.needs import definition
from volplugin.plan.share import SHARE, Share
from volplugin.system.look import look
from volplugin.system.worker import Worker, WorkerError

MOUNT_WITHIN = 45.0  # seconds: a client that tries several servers of which the first is silent takes 30
UNMOUNT_WITHIN = 10.0  # seconds

Mounts = Callable[[], Sequence[Mounted]]  # the table of mounts as it is now


class Shares:
    """One share, at its place."""

    def __init__(self, backend: Backend, target: Path, worker: Worker, mounts: Mounts) -> None:
        self._backend = backend
        self.target = target
        self._worker = worker
        self.mounts = mounts
        self._dead = False

    def among(self, table: Sequence[Mounted]) -> Mounted | None:
        """Return the share as it is mounted now; None where it is not, or is dead."""
        there = mountinfo.at(str(self.target), table)
        return there if there is not None and not self._dead and self._is_ours(there, table) else None

    def needed(self) -> str:
        """Return where the share is mounted.

        Raises:
            WorkerError: it is not: what were written there would be on the host's own disk.

        """
        if self.among(self.mounts()) is None:
            raise WorkerError(f"backend {self._backend.name} is not mounted")
        return str(self.target)

    @property
    def buried(self) -> bool:
        """Whether what is mounted was found dead, and not mounted anew yet."""
        return self._dead

    def bury(self) -> None:
        """Note that what is mounted is dead; it is mounted anew when the layer is looked at next."""
        self._dead = True

    def read(self, keys: Collection[str] | None) -> Mapping[str, Share]:
        """See `daemonkit.layer.Actuator`."""
        table = self.mounts()
        if mountinfo.at(str(self.target), table) is None or (keys is not None and SHARE not in keys):
            return {}
        return {SHARE: Share(self._backend, alive=self.among(table) is not None)}

    def apply(self, change: Diff[str, Share]) -> Mapping[str, str]:
        """See `daemonkit.layer.Actuator`."""
        known = self._worker.problem is not None
        try:
            if change.create or change.change:
                self._worker.call("mount", MOUNT_WITHIN, backend=definition(self._backend), target=str(self.target))
            elif change.delete:
                self._worker.call("unmount", UNMOUNT_WITHIN, target=str(self.target), detach=self._dead)
        except WorkerError as error:
            found = "" if known or change.delete else look(self._worker, self._backend, str(error))
            return {SHARE: f"{error}; {found}" if found else str(error)}
        self._dead = False
        return {}

    def _is_ours(self, there: Mounted, table: Sequence[Mounted]) -> bool:
        backend = self._backend
        asked = Definition(
            name=backend.name, kind=backend.kind, source=backend.source, options=own_options(backend.options)
        )
        try:
            return registry.kind(backend.kind).is_mounted(asked, there, table)
        except BadDefinition:  # its package is away: what is mounted stays
            return True
