"""How packets are dropped: the reason goes into a register, and the table of drops counts by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller import fields
from controller.actions import load
from controller.fields import Field
from controller.flow import Flow, flow
from controller.match import Term, term
from controller.pattern import Pattern
from controller.pipeline import Feature, Reason, Table

_BECAUSE = {reason: (load(reason, fields.REG9),) for reason in Reason}


def drop(feature: Feature, table: Table, priority: int, match: Sequence[Term], reason: Reason) -> Flow:
    """Return a flow that drops what it matches, counted under `reason`."""
    return flow(feature, table, priority, match, _BECAUSE[reason], Table.DROP)


def dropping(feature: Feature, table: Table, priority: int, match: Sequence[Term | Field], reason: Reason) -> Pattern:
    """Return the pattern of flows that drop what they match, counted under `reason`."""
    return Pattern(feature, table, priority, match, _BECAUSE[reason], Table.DROP)


def fixed() -> Iterator[Flow]:
    """One counter a reason; what comes without a reason is counted too."""
    for reason in Reason:
        yield flow(Feature.DROPS, Table.DROP, 100, (term(fields.REG9, reason),))
    yield flow(Feature.DROPS, Table.DROP, 0)


def reasons() -> dict[int, Reason]:
    """Return which reason each counter's cookie stands for."""
    counters = {f.cookie: Reason(f.match[0].value) for f in fixed() if f.match}
    return counters | {f.cookie: Reason.UNEXPECTED for f in fixed() if not f.match}
