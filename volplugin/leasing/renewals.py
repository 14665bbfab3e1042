"""The thread that renews all leases of this host in one commit, and watches those of others."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from records.errors import RecordsError
from records.model import Lease, Volume, VolumeId
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Update
from volplugin import mountinfo
from volplugin.leasing.table import LOST, Leasing
from volplugin.leasing.terms import RENEWALS, Life, Observer

LOOK = 0.5  # seconds between looks at others' leases: so much longer one waits for them at most

log = structlog.get_logger()


class Renewals:
    """Of one host."""

    def __init__(self, store: Store, host: str, leasing: Leasing, target: Callable[[Records, Volume], Path]) -> None:
        """`target` says where a volume is mounted on this host."""
        self._store = store
        self._host = host
        self._leasing = leasing
        self._target = target
        self._lock = threading.Lock()
        self._observer = Observer()
        self._renewed = float("-inf")  # when the last renewal that succeeded was sent
        self._problem: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; the leases stay as they are, and others may take them when they have expired."""
        self._stopping.set()

    def life(self, lease: Lease) -> tuple[Life, float]:
        """Return what is known of another host's lease, and in how many seconds it may be taken."""
        now = self._leasing.clock()
        with self._lock:
            return self._observer.life(lease, now), self._observer.left(lease, now)

    def look(self) -> None:
        """Look at others' leases, and renew ours if it is time."""
        try:
            records = self._store.snapshot()
        except RecordsError:  # never read yet
            return
        now = self._leasing.clock()
        with self._lock:
            for lease in records.leases:
                self._observer.look(lease, now)
            self._observer.keep({lease.id for lease in records.leases})
        self._tidy()
        if now - self._renewed >= self._leasing.seconds / RENEWALS:
            self._try()

    def renew(self) -> None:
        """Renew all leases of this host, and note those that it has no longer.

        Raises:
            RecordsError: it is not known whether they are renewed, so they are not.

        """
        known, asked = self._leasing.terms.all(), self._leasing.clock()

        def decision(records: Records) -> tuple[list[Update], list[tuple[Lease, str]]]:
            own = records.hosts.one(name=self._host)
            leases = list(records.leases.of(host=own.id)) if own is not None else []
            renewed = [
                dataclasses.replace(lease, renewals=lease.renewals + 1, seconds=self._leasing.seconds)
                for lease in leases
            ]
            writes = [Update(old, new) for old, new in zip(leases, renewed, strict=True)]
            return writes, [(lease, self._at(records, lease.volume)) for lease in renewed]

        ours = decide(self._store, decision, within=max(1.0, self._leasing.seconds / RENEWALS))
        if ours:
            self._leasing.terms.confirm(ours, asked)
        epochs = {lease.volume: lease.epoch for lease, _ in ours}
        for volume, term in known.items():
            if epochs.get(volume) != term.epoch:
                self._leasing.terms.lose(volume, term.epoch)
        self._renewed = asked

    def _at(self, records: Records, volume: VolumeId) -> str:
        found = records.volumes.get(volume)
        return str(self._target(records, found)) if found is not None else ""

    def _tidy(self) -> None:
        """Forget leases that were lost, and of which nothing is mounted any more."""
        for volume, term in self._leasing.terms.all().items():
            if term.confirmed == LOST and mountinfo.at(term.target, mountinfo.mounts()) is None:
                self._leasing.terms.forget(volume, term.epoch)

    def _try(self) -> None:
        try:
            self.renew()
        except (RecordsError, OSError) as error:  # the latter: not noted in /run, so nothing that the guard knows of
            if self._problem is None:
                log.warning("leases not renewed", reason=str(error))
            self._problem = str(error)
            return
        if self._problem is not None:
            log.info("leases renewed again")
        self._problem = None

    def _run(self) -> None:
        while not self._stopping.wait(LOOK):
            self.look()
