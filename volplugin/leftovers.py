"""What this host has of backends that were taken from the records while the daemon was away."""

from __future__ import annotations

import threading
from pathlib import Path

from records.errors import Unavailable
from records.store import Store
from volplugin.former import Former
from volplugin.keeper import Host

AGAIN = 1.0  # seconds between attempts while the records were never read


class Leftovers:
    """Looks once, when the records are there; what it finds is swept in threads of its own."""

    def __init__(self, store: Store, host: Host) -> None:
        self._store = store
        self._host = host
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin; neither the records nor any server is waited for."""
        threading.Thread(target=self._run, name="leftovers", daemon=True).start()

    def stop(self) -> None:
        """End, if it waits for the records."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                found = self.found()
            except Unavailable:
                self._stopping.wait(AGAIN)
                continue
            for former in found:
                former.start()
            return

    def found(self) -> list[Former]:
        """Return what there is of each former backend.

        Raises:
            Unavailable: the records have never been read: nobody knows which backends there are.

        """
        known = {backend.name for backend in self._store.snapshot().backends}
        top = self._host.directory
        try:
            there = {path.name for path in top.iterdir() if path.is_dir() and not path.is_symlink()}
        except FileNotFoundError:
            there = set()
        mounted = {Path(mount.target).parent for mount in self._host.mounts()}
        there |= {path.name for path in mounted if path.parent == top}
        return [self._former(top / name) for name in sorted(there - known)]

    def _former(self, directory: Path) -> Former:
        def back() -> bool:
            return self._store.snapshot().backends.one(name=directory.name) is not None

        return Former(directory, self._host.worker(directory.name), self._host.mounts, back)
