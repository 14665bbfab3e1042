"""Asks each member of the database whether it serves and whether it leads: for people; no daemon needs it."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from records.link import DATABASE
from records.transport import Lost, Transport


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One server of the database as it is now; `problem` says why it serves nobody, or None."""

    remote: str
    leader: bool
    problem: str | None


def members(remotes: str, within: float) -> tuple[Member, ...]:
    """Ask all members of `remotes` (separated by commas) at once; none is waited for longer than `within` seconds."""
    found = remotes.split(",")
    with ThreadPoolExecutor(len(found)) as pool:
        return tuple(pool.map(lambda remote: _member(remote, within), found))


def _member(remote: str, within: float) -> Member:
    try:
        row = _ask(remote, time.monotonic() + within)
    except (OSError, ValueError) as error:
        return Member(remote, leader=False, problem=getattr(error, "strerror", None) or str(error))
    if row is None:
        return Member(remote, leader=False, problem=f"it serves no database {DATABASE}")
    problem = None if row.get("connected") else "it is cut off from its cluster"
    return Member(remote, leader=bool(row.get("leader")), problem=problem)


def _ask(remote: str, until: float) -> dict[str, Any] | None:
    """Return the database's row in the server's own database _Server, see ovsdb-server(5)."""
    select = {
        "op": "select",
        "table": "Database",
        "where": [["name", "==", DATABASE]],
        "columns": ["connected", "leader"],
    }
    transport = Transport(remote)
    try:
        transport.send({"id": 0, "method": "transact", "params": ["_Server", select]})
        while (left := until - time.monotonic()) > 0:
            for message in transport.receive(left) or ():
                if message.get("id") == 0 and "result" in message:
                    rows = message["result"][0].get("rows") or [None]
                    return rows[0]  # type: ignore[no-any-return]  # JSON
        raise Lost("no answer in time")
    finally:
        transport.close()
