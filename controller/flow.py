"""A flow as a value: what is matched and done, its bytes computed once, its cookie that says it is ours.

Cookie: bits 63-48 `OURS`, 47-40 the feature, 39-0 a digest of table, priority, match and instructions.  So a flow in
the switch is known to be the one we want, or not, by (cookie, table, priority) alone.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from controller.actions import Action
from controller.match import Term, match_text, ordered, parsed
from controller.pipeline import Feature, Table

OURS = 0x4D4F << 48  # "MO"
OURS_MASK = 0xFFFF << 48

Identity = tuple[int, int, int]  # cookie, table, priority

PLACE = 3  # bytes of table and priority before the match, in `Flow.place`
HEAD = 40  # bytes of a flow-mod between the OpenFlow header and the match
_head = struct.Struct("!QQBBHHHIIIH2xHH").pack  # with the match's own header
_apply = struct.Struct("!HH4x").pack
_meter = struct.Struct("!HHI").pack
_key = struct.Struct("!BH").pack
_GOTO = [struct.pack("!HHB3x", 1, 8, table) for table in range(max(Table) + 1)]  # lists: an enum's hash is slow
_COOKIES = [OURS | feature << 40 for feature in range(max(Feature) + 1)]
_PADS = tuple(bytes(-length % 8) for length in range(8))
_ANY = 0xFFFFFFFF


class Flow(NamedTuple):
    """An entry of a table.  Equal are flows whose bytes are.

    A named tuple because there are hundred thousands of them: a frozen dataclass takes five times as long to make.  The
    match is not kept beside its bytes, for the same reason.
    """

    body: bytes  # of the flow-mod that adds it, after the OpenFlow header
    identity: Identity
    place: bytes  # table, priority and match: two flows of one switch cannot share it
    table: Table
    priority: int
    actions: tuple[Action, ...]
    goto: Table | None
    meter: int | None = None  # that packets must pass first

    def __hash__(self) -> int:
        return hash(self.body)

    @property
    def cookie(self) -> int:
        """The cookie."""
        return self.identity[0]

    @property
    def match(self) -> tuple[Term, ...]:
        """What is matched, in the order of the wire."""
        return parsed(self.place[PLACE:])

    @property
    def text(self) -> str:
        """As `ovs-ofctl add-flow` reads it, without the cookie."""
        head = f"table={self.table:d}, priority={self.priority}"
        matched = match_text(self.match)
        done = [f"meter:{self.meter}"] if self.meter is not None else []
        done += [action.text for action in self.actions]
        if self.goto is not None:
            done.append(f"goto_table:{self.goto:d}")
        return f"{head}{',' if matched else ''}{matched} actions={','.join(done) or 'drop'}"


def flow(  # noqa: PLR0917  # in the order of ovs-ofctl's text
    feature: Feature,
    table: Table,
    priority: int,
    match: Sequence[Term] = (),
    actions: Sequence[Action] = (),
    goto: Table | None = None,
    *,
    meter: int | None = None,
) -> Flow:
    """Return the flow; no actions and no `goto` drop the packet, as does the meter of that number.

    Raises:
        ValueError: the match cannot be (see `match.ordered`), or `goto` leads back.

    """
    matched = b"".join([term[0] for term in ordered(match)])
    place = placed(table, priority, matched, goto)
    return made(feature, table, priority, goto, place, instructions(actions, goto, meter), tuple(actions), meter)


def placed(table: Table, priority: int, matched: bytes, goto: Table | None) -> bytes:
    """Return the place of a flow that goes on to `goto`.

    Raises:
        ValueError: that leads back.

    """
    if goto is not None and goto <= table:
        raise ValueError(f"from table {table:d} to {goto:d}: packets go forward only")
    return _key(table, priority) + matched


def instructions(actions: Sequence[Action], goto: Table | None, meter: int | None = None) -> bytes:
    """Return the bytes of what is done."""
    done = b"".join([action[0] for action in actions])
    found = _apply(4, 8 + len(done)) + done if done else b""
    if meter is not None:
        found = _meter(6, 8, meter) + found
    return found if goto is None else found + _GOTO[goto]


def made(  # noqa: PLR0917  # for speed; `flow` and `Pattern` are its only callers
    feature: Feature,
    table: Table,
    priority: int,
    goto: Table | None,
    place: bytes,
    done: bytes,
    actions: tuple[Action, ...],
    meter: int | None = None,
) -> Flow:
    """Return the flow of these bytes."""
    cookie = _COOKIES[feature] | int.from_bytes(blake2b(place + done, digest_size=5).digest())
    length = 4 + len(place) - PLACE  # of the match, with its own header
    head = _head(cookie, 0, table, 0, 0, 0, priority, _ANY, _ANY, _ANY, 0, 1, length)
    body = head + place[PLACE:] + _PADS[length & 7] + done
    return Flow(body, (cookie, table, priority), place, table, priority, actions, goto, meter)
