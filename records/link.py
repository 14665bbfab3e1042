"""A connection to the leader of the database, kept up in a thread of its own; not what is said on it.

Written on the protocol itself (RFC 7047, ovsdb-server(7)), not on the IDL of the `ovs` package: docs/adr/0004.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import structlog

from records.errors import Unavailable
from records.transport import Lost, Message, Transport

DATABASE = "Moorage"
SILENCE = 3.0  # seconds until we ask a silent server whether it lives, and again until we give it up
BACKOFF_FIRST, BACKOFF_LAST = 0.05, 1.0  # seconds between rounds over the members
DATABASE_COLUMNS = ["connected", "leader", "schema", "cid"]  # of _Server, see ovsdb-server(5)

log = structlog.get_logger()


class Unsuitable(Exception):  # of a member, not an error of ours
    """This member cannot serve us now; the text says why."""


class Session:
    """One connection's life: requests and their answers."""

    def __init__(self, transport: Transport, notified: Callable[[str, Sequence[Any]], None]) -> None:
        self._transport = transport
        self._notified = notified
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._waiting: dict[int, Future[Any]] | None = {}  # None when the connection is lost
        self._given_up = False

    def ask(self, method: str, params: Sequence[Any]) -> Future[Any]:
        """Send a request, from any thread; its future gets the result, or Refused, or Lost."""
        answer: Future[Any] = Future()
        with self._lock:
            if self._waiting is None:
                raise Lost("the connection is gone")
            number = next(self._ids)
            self._waiting[number] = answer
        self._transport.send({"id": number, "method": method, "params": params})
        return answer

    def call(self, method: str, params: Sequence[Any]) -> Any:
        """Send a request and return its result, in the thread that receives."""
        answer = self.ask(method, params)
        while not answer.done():
            self.turn()
        return answer.result()

    def turn(self) -> None:
        """Wait for messages and handle them.  Raises Lost when the server has been silent for too long, or is gone."""
        messages = self._transport.receive(SILENCE)
        if messages is None:
            self._transport.send({"id": "echo", "method": "echo", "params": []})
            messages = self._transport.receive(SILENCE)
            if messages is None:
                raise Lost(f"no sign of life for {2 * SILENCE:g} s")
        if self._given_up:
            raise Lost("closed")
        for message in messages:
            self._handle(message)

    def give_up(self) -> None:
        """Make `turn` raise Lost."""
        self._given_up = True
        self._transport.wake()

    def end(self, reason: str) -> None:
        """Close, and tell everybody who waits."""
        with self._lock:
            waiting, self._waiting = self._waiting or {}, None
        self._transport.close()
        for answer in waiting.values():
            answer.set_exception(Lost(reason))

    def _handle(self, message: Message) -> None:
        method, number = message.get("method"), message.get("id")
        if method == "echo" and number is not None:
            self._transport.send({"id": number, "result": message["params"], "error": None})
        elif method is not None:
            self._notified(method, message["params"])
        elif isinstance(number, int):  # not the answer to our echo
            with self._lock:
                answer = self._waiting.pop(number, None) if self._waiting else None
            if answer is None:
                return
            if message.get("error") is None:
                answer.set_result(message["result"])
            else:
                answer.set_exception(Unsuitable(f"the server refused: {message['error']}"))


class Service(Protocol):
    """What is done over a link; called in the link's thread."""

    def joined(self, session: Session, schema: str) -> None:
        """Ask what must be asked first on a new connection to the leader.  Raises Unsuitable, Lost."""

    def notified(self, method: str, params: Sequence[Any]) -> None:
        """Take a notification.  Raises Unsuitable."""

    def lost(self) -> None:
        """Learn that the connection is gone."""


class Link:
    """Finds the leader among the members, and again whenever it is lost."""

    def __init__(self, remote: str, service: Service) -> None:
        self._remotes = [one.strip() for one in remote.split(",") if one.strip()]
        self._service = service
        self._changed = threading.Condition()
        self._session: Session | None = None  # with the leader, ready for requests
        self._opening: Session | None = None
        self._reason = "not connected yet"
        self._cluster: Any = None  # id of the cluster that our records came from
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def ask(self, method: str, params: Sequence[Any], within: float) -> Any:
        """Return the answer to a request, which is sent once at most, as soon as there is a leader.

        Raises:
            Unavailable: no answer within `within` seconds, or the connection was lost before it.

        """
        until = time.monotonic() + within
        answer = None
        while answer is None and (session := self._wait(until)) is not None:
            with contextlib.suppress(Lost):  # just now, and nothing was sent: the next leader gets it
                answer = session.ask(method, params)
        if answer is None:
            raise Unavailable(self.problem() or "records unavailable: closed")
        try:
            return answer.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            raise Unavailable(f"records unavailable: no answer within {within:g} s; it may yet take effect") from None
        except (Lost, Unsuitable) as error:
            raise Unavailable(f"records unavailable: {error}; it may have taken effect") from error

    def ready(self, within: float) -> bool:
        """Wait until requests can be sent; return whether they can."""
        return self._wait(time.monotonic() + within) is not None

    def problem(self) -> str | None:
        """Why requests cannot be answered now, or None."""
        if self._session is not None:
            return None
        return (
            f"records unavailable: no leader among {', '.join(self._remotes)} ({self._reason}); "
            "see that moorage-db runs there: systemctl status moorage-db"
        )

    def close(self) -> None:
        """End the connection and the thread."""
        self._stopping.set()
        with self._changed:
            if (session := self._session or self._opening) is not None:
                session.give_up()
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _wait(self, until: float) -> Session | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._session is not None or self._stopping.is_set(), max(0.0, until - time.monotonic())
            )
            return self._session

    def _run(self) -> None:
        wait = BACKOFF_FIRST
        while not self._stopping.is_set():
            for remote in self._remotes:
                if self._visit(remote):
                    wait = BACKOFF_FIRST
            self._stopping.wait(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait = min(2 * wait, BACKOFF_LAST)

    def _visit(self, remote: str) -> bool:
        """Use a member for as long as it leads; return whether it ever did."""
        try:
            session = Session(Transport(remote), self._notified)
        except (OSError, ValueError) as error:
            self._reason = f"{remote}: {error}"
            return False
        self._opening, joined = session, False
        if self._stopping.is_set():
            session.give_up()
        try:
            self._join(session, remote)
            joined = True
            while True:
                session.turn()
        except (Lost, Unsuitable) as error:
            reason = str(error)
        except Exception:  # a bug, or a server that speaks otherwise: begin anew
            log.exception("records connection failed", remote=remote)
            reason = "an unexpected answer; see the log"
        self._leave(session, f"{remote}: {reason}", joined=joined)
        return joined

    def _join(self, session: Session, remote: str) -> None:
        where = [["name", "==", DATABASE]]
        tables = session.call(
            "monitor_cond", ["_Server", "server", {"Database": [{"columns": DATABASE_COLUMNS, "where": where}]}]
        )
        rows = [change["initial"] for change in tables.get("Database", {}).values()]
        if not rows:
            raise Unsuitable(f"it serves no database {DATABASE}")
        _require_leader(rows[0], before=False)
        if self._cluster not in {None, str(rows[0].get("cid"))}:
            raise Unsuitable("it serves another cluster than before: restart this daemon if that is meant")
        self._service.joined(session, rows[0]["schema"])
        self._cluster = str(rows[0].get("cid"))
        with self._changed:
            self._session, self._opening = session, None
            self._changed.notify_all()
        log.info("records connected", remote=remote)

    def _leave(self, session: Session, reason: str, *, joined: bool) -> None:
        with self._changed:
            self._session = self._opening = None
            self._reason = reason
        session.end(reason)
        self._service.lost()
        if joined and not self._stopping.is_set():
            log.warning("records unavailable", reason=reason)

    def _notified(self, method: str, params: Sequence[Any]) -> None:
        if method == "update2" and params[0] == "server":
            for change in params[1].get("Database", {}).values():
                if "modify" not in change or "schema" in change["modify"]:
                    raise Unsuitable(f"the database {DATABASE} was exchanged or got another schema")
                _require_leader(change["modify"], before=True)
        else:
            self._service.notified(method, params)


def _require_leader(row: Mapping[str, Any], *, before: bool) -> None:
    """Raise Unsuitable unless a row of _Server, or what changed in it since `before`, says that this is the leader."""
    if not row.get("connected", before):
        raise Unsuitable("it is cut off from its cluster")
    if not row.get("leader", before):
        raise Unsuitable("it is not the leader")
