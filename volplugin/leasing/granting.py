"""What taking a lease needs besides the records: the clock, what was seen of others, and addresses of storage."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from records.model import Access, Backend, Lease, Volume
from records.snapshot import Records
from volplugin.leasing.renewals import Renewals
from volplugin.leasing.table import Leasing
from volplugin.leasing.terms import Life

log = structlog.get_logger()


class Granting(Protocol):
    """How one who writes a holder takes part in leases."""

    seconds: int  # of the leases that it takes

    def clock(self) -> float:
        """Return CLOCK_BOOTTIME."""

    def judge(self, lease: Lease) -> tuple[Life, float]:
        """Return what is known of another host's lease, and in how many seconds it may be taken."""

    def servers(self, records: Records, name: str) -> Sequence[str]:
        """Return the addresses of a volume's storage, if its lease may have to be taken from another host."""

    def granted(self, records: Records, volume: Volume, lease: Lease, asked: float) -> None:
        """Note a lease that was asked for at `asked`."""


class Refusing:
    """For who takes no part: a lease that another host has is never taken from it."""

    seconds = 30

    def clock(self) -> float:
        """See `Granting`."""
        return 0.0

    def judge(self, lease: Lease) -> tuple[Life, float]:  # noqa: ARG002
        """See `Granting`."""
        return Life.ALIVE, math.inf

    def servers(self, records: Records, name: str) -> Sequence[str]:  # noqa: ARG002
        """See `Granting`."""
        return ()

    def granted(self, records: Records, volume: Volume, lease: Lease, asked: float) -> None:
        """See `Granting`."""


class Grants:
    """For the daemon of a host."""

    def __init__(
        self,
        host: str,
        leasing: Leasing,
        renewals: Renewals,
        target: Callable[[Records, Volume], Path],
        servers: Callable[[Backend], Iterable[str]],
    ) -> None:
        """`target` says where a volume is mounted here; `servers` the names or addresses of a backend's storage."""
        self.seconds = leasing.seconds
        self.clock = leasing.clock
        self.judge = renewals.life
        self._host = host
        self._terms = leasing.terms
        self._target = target
        self._servers = servers

    def servers(self, records: Records, name: str) -> Sequence[str]:
        """See `Granting`; names are looked up only while a lease of another host is about to expire."""
        volume = records.volumes.one(name=name, removed=0)
        if volume is None or volume.access is Access.SHARED:
            return ()
        lease, backend = records.leases.one(volume=volume.id), records.backends.get(volume.backend)
        host = records.hosts.get(lease.host) if lease is not None else None
        if lease is None or host is None or host.name == self._host or backend is None:
            return ()
        if self.judge(lease)[0] not in {Life.SILENT, Life.EXPIRED}:
            return ()
        return sorted({address for server in self._servers(backend) for address in _addresses(server)})

    def granted(self, records: Records, volume: Volume, lease: Lease, asked: float) -> None:
        """See `Granting`."""
        self._terms.confirm([(lease, str(self._target(records, volume)))], asked)
        if lease.epoch != volume.epoch:
            log.info("lease taken", volume=volume.name, epoch=lease.epoch)


def _addresses(server: str) -> list[str]:
    """Return the IP addresses of a server; none where nobody knows it."""
    try:
        found = socket.getaddrinfo(server, None, type=socket.SOCK_STREAM)
    except OSError as error:
        log.warning("server unknown: not fenced", server=server, reason=str(error))
        return []
    return [str(address[0]).split("%")[0] for *_, address in found]
