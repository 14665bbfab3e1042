"""Flows that differ in values alone: what they have in common is worked out once, and each is filled in."""

from __future__ import annotations

from collections.abc import Sequence

from controller.actions import Action
from controller.fields import Field
from controller.flow import Flow, instructions, made, placed
from controller.match import Term, ordered, term
from controller.pipeline import Feature, Table


class Pattern:
    """Flows of one feature, table, priority and of the same fields; there is one for each endpoint of a host."""

    def __init__(  # noqa: PLR0917  # in the order of ovs-ofctl's text
        self,
        feature: Feature,
        table: Table,
        priority: int,
        match: Sequence[Term | Field],
        actions: Sequence[Action] = (),
        goto: Table | None = None,
    ) -> None:
        """Make the pattern of flows that match these terms, and of the fields a value each.

        Raises:
            ValueError: the match cannot be (see `match.ordered`), or `goto` leads back.

        """
        terms = ordered([one if isinstance(one, Term) else term(one, 0) for one in match])
        whole = placed(table, priority, b"".join([one.wire for one in terms]), goto)
        parts = [one.field.head + b"%b" if one.field in match else one.wire.replace(b"%", b"%%") for one in terms]
        self._place = whole[:3].replace(b"%", b"%%") + b"".join(parts)
        self._size = len(whole)
        self._key = (feature, table, priority, goto)
        self._actions = tuple(actions)
        self._done = instructions(self._actions, goto)

    def flow(self, *values: bytes, actions: tuple[Action, ...] | None = None, meter: int | None = None) -> Flow:
        """Return the flow of these values, in the order of `fields.FIELDS`; it may have actions and a meter of its own.

        Raises:
            ValueError: a value has not the size of its field.

        """
        place = self._place % values
        if len(place) != self._size:
            raise ValueError(f"values do not fit their fields: {', '.join(value.hex() for value in values)}")
        if actions is None and meter is None:
            return made(*self._key, place, self._done, self._actions)
        own = self._actions if actions is None else actions
        return made(*self._key, place, instructions(own, self._key[3], meter), own, meter)
