"""Uses of volumes whose end we may never hear of: compared with what Docker and the kernel know, and taken back.

An Unmount never comes when dockerd was killed, when we were away, or when a Mount was answered to nobody (PROTOCOL
4.2), and from Docker 20.10 neither for a container that outlived its dockerd and was copied from since.  A use is taken
back when neither a container that runs nor a mount namespace accounts for it in every look of `after` seconds, since a
look may fall between a Mount and its container.  Nothing of this is done within a call.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping

import structlog

from records.errors import RecordsError
from records.model import Holder, HolderId, Volume, VolumeId
from records.snapshot import Records
from records.store import Store, decide
from volplugin import uses
from volplugin.holders import Holders
from volplugin.keeper import Host

LOOKS = 3  # looks in the time after which a use counts as ended
ENDING = 1.0  # seconds that the kernel may take to forget a container's mounts
SURE = 3600.0  # seconds for one whose container was never seen to run: Docker fills a new volume before it starts any

log = structlog.get_logger()


class Doubts:
    """Looks from a thread of its own, so that a hung dockerd delays nothing."""

    def __init__(
        self,
        store: Store,
        host: Host,
        holders: Holders,
        *,
        listed: Callable[[], Mapping[str, int]],
        seen: Callable[[Volume], int],
        after: float,
    ) -> None:
        """`listed` asks Docker for the mounts of each volume's name, `seen` the kernel."""
        self._store = store
        self._host = host
        self._holders = holders
        self._listed = listed
        self._seen = seen
        self._after = after
        self._since: dict[HolderId, float] = {}  # when a use first seemed ended, monotonic seconds
        self._began = False
        self._ran: set[HolderId] = set()  # had a running container, or are from before our start
        self._dockerds = self._written = 0  # how many have come up, and how many of them the records show
        self._writing = threading.Lock()
        self._owed: deque[tuple[str, str]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="doubts", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it may be waiting for dockerd, so it is not waited for."""
        self._stopping = True
        self._wake.set()

    def activated(self) -> None:
        """Note that a new dockerd has come up, which knows of each use only once, if at all."""
        self._dockerds += 1
        self._wake.set()

    def catch_up(self) -> None:
        """Write down what has happened to the host and to dockerd, before anything is counted.

        Raises:
            RecordsError: the records cannot be changed now.

        """
        with self._writing:
            host, boot = self._host.name, self._host.boot
            if not self._began:
                if count := decide(self._store, lambda records: uses.void(records, host, boot)):
                    log.info("uses of an earlier boot removed", count=count)
                # What we answered last may have reached nobody: no container has come of it, and no Unmount will.
                decide(self._store, lambda records: uses.doubt(records, host, boot))
                self._ran = {holder.id for holder in uses.held(self._store.snapshot(), host, boot)}
                self._began = True
            if (dockerds := self._dockerds) != self._written:
                decide(self._store, lambda records: uses.doubt(records, host, boot))
                self._written = dockerds

    def owe(self, name: str, mount: str) -> None:
        """Take a use back later, when the records can be changed again."""
        self._owed.append((name, mount))
        self._wake.set()

    def runs(self, volume: Volume, others: int) -> bool:
        """Say whether more containers than `others` have the volume, even when those that end have had a moment."""
        until = time.monotonic() + ENDING
        while self._seen(volume) > others:
            if time.monotonic() > until:
                log.info("still used by a container that runs", volume=volume.name)
                return True
            time.sleep(0.02)
        return False

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.look()
            except (OSError, RecordsError) as error:
                self._since.clear()  # what did not seem ended all the time has not ended
                log.debug("cannot compare with Docker", reason=str(error))
            self._wake.wait(self._after / LOOKS)
            self._wake.clear()

    def look(self) -> None:
        """Compare once, and take back what has seemed ended for long enough."""
        self.catch_up()
        while self._owed:
            self._holders.release(*self._owed[0], self.runs)
            self._owed.popleft()
        records, listed, now = self._store.snapshot(), self._listed(), time.monotonic()
        since: dict[HolderId, float] = {}
        for key, known in self._by_volume(records).items():
            if (volume := records.volumes.get(key)) is None:
                continue
            judged = uses.judge(known, listed.get(volume.name, 0), self._seen(volume))
            self._believe(judged.sure)
            for holder in judged.ended:
                since[holder.id] = self._since.get(holder.id, now)
                doubted = not holder.confirmed or holder.id in self._ran
                if now - since[holder.id] >= (self._after if doubted else SURE):
                    self._end(volume, holder)
        self._since = since
        self._ran &= {holder.id for holder in records.holders}

    def _by_volume(self, records: Records) -> Mapping[VolumeId, list[Holder]]:
        found: dict[VolumeId, list[Holder]] = {}
        for holder in uses.held(records, self._host.name, self._host.boot):
            found.setdefault(holder.volume, []).append(holder)
        return found

    def _believe(self, sure: Collection[Holder]) -> None:
        self._ran |= {holder.id for holder in sure}
        if any(not holder.confirmed for holder in sure):
            decide(self._store, lambda records: uses.confirm(records, sure))

    def _end(self, volume: Volume, holder: Holder) -> None:
        if decide(self._store, lambda records: uses.end(records, holder)):
            log.info("use ended without an Unmount", volume=volume.name, mount=holder.mount[:12])
