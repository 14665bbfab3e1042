"""Which meters the switch of a host should have: one for each direction in which an endpoint has a limit; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controller.meter import Meter, meter, ours, port_of, receiving, sending
from controller.planner import FlowPlanner
from records.model import Endpoint
from records.snapshot import Records
from records.store import Change


class MeterPlanner:
    """The plan of one host; the keys are the meters' numbers."""

    def __init__(self, plan: FlowPlanner) -> None:
        self._plan = plan

    def keys(self, source: Records) -> Collection[int]:
        """Return the numbers of all meters of this host."""
        found = source.endpoints.of(host=self._plan.host(source).id)
        return [limit.number for endpoint in found for limit in limits(endpoint)]

    def want(self, source: Records, key: int) -> Meter | None:
        """Return the meter of that number; None where no endpoint has it."""
        if not ours(key):
            return None
        endpoint = source.endpoints.one(host=self._plan.host(source).id, ofport=port_of(key))
        return None if endpoint is None else next((m for m in limits(endpoint) if m.number == key), None)


def limits(endpoint: Endpoint) -> Iterator[Meter]:
    """Yield the meters of an endpoint."""
    if endpoint.receive_rate is not None:
        yield meter(receiving(endpoint.ofport), endpoint.receive_rate)
    if endpoint.send_rate is not None:
        yield meter(sending(endpoint.ofport), endpoint.send_rate)


def metered(change: Change) -> set[int]:
    """Return the numbers of the meters that a change of a record may change."""
    endpoints = [record for record in (change.old, change.new) if isinstance(record, Endpoint)]
    return {limit.number for endpoint in endpoints for limit in limits(endpoint)}
