"""One connection to the switch at a time: requests that wait for their answers, and what the switch tells by itself.

Answers come in the framework's thread and are handed over here; callers wait in threads of their own.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count

import structlog

from controller import meter, openflow
from controller.events import Link
from controller.meter import Command, Meter
from controller.openflow import Refusal, Seen

ANSWER = 10.0  # seconds within which a live switch answers; 100,000 flows take it 1
_XIDS = 0x40000000  # ours count from here; the framework's own, which start at 0, never get there
_SLICE = 1 << 18  # bytes handed to the socket at once

log = structlog.get_logger()


class DisconnectedError(OSError):
    """There is no connection to the switch, or it ended before the answer."""


@dataclasses.dataclass(slots=True)
class _Open:
    """What belongs to one connection."""

    link: Link
    xids: count[int] = dataclasses.field(default_factory=lambda: count(_XIDS))
    bundles: count[int] = dataclasses.field(default_factory=lambda: count(1))
    barriers: set[int] = dataclasses.field(default_factory=set)
    refusals: dict[int, Refusal] = dataclasses.field(default_factory=dict)
    statistics: dict[int, list[bytes]] = dataclasses.field(default_factory=dict)  # unfinished answers
    finished: set[int] = dataclasses.field(default_factory=set)
    listing: dict[str, int] = dataclasses.field(default_factory=dict)  # ports of an unfinished answer
    ports: dict[str, int] | None = None  # None until all were listed


class Session:
    """The switch, while it is connected.

    `turned` is called when the connection comes or goes, `ported` when a port (None: any) does; both from the
    framework's thread.
    """

    def __init__(
        self,
        address: str,
        turned: Callable[[], None] = lambda: None,
        ported: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self.address = address
        self._turned = turned
        self._ported = ported
        self._wake = threading.Condition()
        self._open: _Open | None = None
        self._since = time.time()
        self._problem = "not connected yet"
        self.connections = 0  # made so far
        self.refusal: str | None = None  # the switch's last error

    # --- what callers ask

    def dump(self, cookie: int, mask: int, table: int = 0xFF) -> list[Seen]:
        """Return the switch's flows whose cookie has these bits.

        Raises:
            DisconnectedError: no answer.

        """
        parts = self._ask(lambda xid: openflow.flows_request(xid, cookie, mask, table), "flows")
        return [seen for part in parts for seen in openflow.parse_flows(part)]

    def meters(self) -> list[Meter]:
        """Return all the switch's meters.

        Raises:
            DisconnectedError: no answer.

        """
        return [found for part in self._ask(meter.request, "meters") for found in meter.parse(part)]

    def bundle(self, bodies: Sequence[bytes]) -> Mapping[int, Refusal]:
        """Make all of the flow-mods at once, in their order, and wait until they are in force.

        Returns the refusals by place in `bodies`; place len(bodies) stands for the bundle as a whole.  Where there is
        one, the others may be in force or not.

        Raises:
            DisconnectedError: no answer; they may be in force or not.

        """
        return self._change(len(bodies), lambda now, xid: openflow.bundle(next(now.bundles), bodies, xid))

    def change_meters(self, steps: Sequence[tuple[Command, Meter]]) -> Mapping[int, Refusal]:
        """Change meters in their order, and wait until it is done; return the refusals by place in `steps`.

        Raises:
            DisconnectedError: no answer; they may be changed or not.

        """
        return self._change(
            len(steps), lambda _, xid: (meter.modification(at, *step) for at, step in enumerate(steps, xid))
        )

    def inject(self, port: int, frame: bytes) -> None:
        """Have the switch treat a frame as if it had come in by a port; what becomes of it is not told.

        Raises:
            DisconnectedError: there is no connection.

        """
        with self._wake:
            now = self._current()
            xid = next(now.xids)
        self._send(now, [openflow.packet_out(xid, port, frame)])

    def ports(self) -> Mapping[str, int] | None:
        """Return the ports, name to number; None while they are not known."""
        with self._wake:
            return dict(self._open.ports) if self._open is not None and self._open.ports is not None else None

    @property
    def listed(self) -> bool:
        """Whether the ports are known."""
        with self._wake:
            return self._open is not None and self._open.ports is not None

    def problem(self) -> str | None:
        """Return why there is no connection, or None."""
        with self._wake:
            return None if self._open is not None else self._problem

    def since(self) -> float:
        """Return when (seconds of the epoch) the connection came or went."""
        with self._wake:
            return self._since

    def _ask(self, request: Callable[[int], bytes], what: str) -> list[bytes]:
        """Return the parts of the answer to a request for statistics."""
        with self._wake:
            now = self._current()
            xid = next(now.xids)
            now.statistics[xid] = []
        self._send(now, [request(xid)])
        with self._wake:
            self._await(now, lambda: xid in now.finished or xid in now.refusals)
            now.finished.discard(xid)
            parts = now.statistics.pop(xid)
            if (refusal := now.refusals.pop(xid, None)) is not None:
                raise DisconnectedError(f"the switch does not show its {what}: {refusal.text}")
        return parts

    def _change(self, size: int, messages: Callable[[_Open, int], Iterable[bytes]]) -> Mapping[int, Refusal]:
        """Send `messages` of `size` xids and one for all; return the refusals by place."""
        with self._wake:
            now = self._current()
            first = next(now.xids)
            after = first + size + 1
            now.xids = count(after + 1)
        self._send(now, [*messages(now, first), openflow.barrier(after)])
        with self._wake:
            self._await(now, lambda: after in now.barriers)
            now.barriers.discard(after)
            mine = [xid for xid in now.refusals if first <= xid <= after]
            return {xid - first: now.refusals.pop(xid) for xid in mine}

    def _current(self) -> _Open:
        if self._open is None:
            raise DisconnectedError(f"no connection to the switch at {self.address}: {self._problem}")
        return self._open

    def _send(self, now: _Open, messages: Sequence[bytes]) -> None:
        data = b"".join(messages)
        try:
            for at in range(0, len(data), _SLICE):
                now.link.send(data[at : at + _SLICE])
        except OSError as error:
            now.link.close()
            raise DisconnectedError(f"connection to the switch broke: {error}") from error

    def _await(self, now: _Open, answered: Callable[[], bool]) -> None:
        if self._wake.wait_for(lambda: answered() or self._open is not now, timeout=ANSWER) and self._open is now:
            return
        if self._open is now:  # it does not answer: let the framework try a new connection
            now.link.close()
            raise DisconnectedError(f"no answer from the switch within {ANSWER:g} s")
        raise DisconnectedError(f"connection to the switch ended: {self._problem}")

    # --- what the framework tells

    def connected(self, link: Link) -> None:
        """Begin a session: let the switch tell about ports, and only then list them, so that none is missed."""
        with self._wake:
            now = self._open = _Open(link)
            self._since = time.time()
            self.connections += 1
            xid = next(now.xids)
        try:
            link.send(openflow.asynchronous(xid) + openflow.ports_request(xid))
        except OSError as error:
            log.warning("switch lost at once", reason=str(error))
            link.close()
            return
        log.info("switch connected", switch=self.address)
        self._turned()

    def disconnected(self, link: Link | None, reason: str) -> None:
        """End the session, if it is this link's."""
        with self._wake:
            was = self._open
            if was is not None and was.link is not link:
                return
            self._open = None
            self._problem = reason
            if was is not None:
                self._since = time.time()
            self._wake.notify_all()
        if was is not None:
            log.warning("switch disconnected", switch=self.address, reason=reason)
            self._turned()

    def barrier(self, link: Link, xid: int) -> None:
        """Take the answer to a barrier."""
        with self._wake:
            if (now := self._of(link)) is not None:
                now.barriers.add(xid)
                self._wake.notify_all()

    def refused(self, link: Link, xid: int, refusal: Refusal) -> None:
        """Take an error; the first of a message says most."""
        with self._wake:
            self.refusal = refusal.text
            if (now := self._of(link)) is not None and xid >= _XIDS:
                now.refusals.setdefault(xid, refusal)
                self._wake.notify_all()

    def statistics(self, link: Link, xid: int, entries: bytes, *, more: bool) -> None:
        """Take a part of an answer."""
        with self._wake:
            if (now := self._of(link)) is not None and xid in now.statistics:
                now.statistics[xid].append(entries)
                if not more:
                    now.finished.add(xid)
                    self._wake.notify_all()

    def ports_listed(self, link: Link, ports: Mapping[str, int], *, more: bool) -> None:
        """Take a part of the list of ports."""
        with self._wake:
            now = self._of(link)
            if now is None:
                return
            now.listing.update(ports)
            if not more:
                now.ports, now.listing = now.listing, {}
        if not more:
            self._ported(None)

    def port_changed(self, link: Link, name: str, number: int | None) -> None:
        """Take the news of a port."""
        with self._wake:
            now = self._of(link)
            if now is None:
                return
            for ports in (now.ports, now.listing):
                if ports is None:
                    continue
                if number is None:
                    ports.pop(name, None)
                else:
                    ports[name] = number
        self._ported(name)

    def _of(self, link: Link) -> _Open | None:
        return self._open if self._open is not None and self._open.link is link else None
