"""Actuator for the meters of one switch: those whose number is in our range.

A meter that goes takes the flows that name it with it, so flows are changed after meters come and before they go: the
loop's order of layers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import structlog

from controller.meter import Command, Meter, ours
from controller.session import Session
from daemonkit.diff import Diff

log = structlog.get_logger()


class SwitchMeters:
    """Used from the loop thread only."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._there: dict[int, Meter] = {}
        self._looked = 0  # at which of the session's connections; 0: what is in the switch is not known

    def read(self, keys: Collection[int] | None) -> Mapping[int, Meter]:
        """Return the meters; looks at the switch itself for all of them, and when they are not known."""
        if keys is None or self._looked != self._session.connections:
            connection = self._session.connections
            self._there = {meter.number: meter for meter in self._session.meters() if ours(meter.number)}
            self._looked = connection
        return {key: meter for key, meter in self._there.items() if keys is None or key in keys}

    def apply(self, change: Diff[int, Meter]) -> Mapping[int, str]:
        """Make the change; return which meters the switch refuses, and why.

        Raises:
            DisconnectedError: the switch did not answer; the next `read` looks at it.

        """
        steps = [(Command.DELETE, meter) for meter in change.delete.values()]
        steps += [(Command.ADD, meter) for meter in change.create.values()]
        steps += [(Command.MODIFY, meter) for meter in change.change.values()]
        self._looked = 0  # unless all goes well
        refusals = self._session.change_meters(steps)
        if refusals:
            return {
                steps[at][1].number: f"rate limit refused by the switch: {refusal.text}"
                for at, refusal in refusals.items()
                if at < len(steps)
            }
        self._looked = self._session.connections
        for command, meter in steps:
            if command is Command.DELETE:
                self._there.pop(meter.number, None)
            else:
                self._there[meter.number] = meter
        created, changed, deleted = len(change.create), len(change.change), len(change.delete)
        log.info("meters changed", added=created, changed=changed, deleted=deleted)
        return {}
