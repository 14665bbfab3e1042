"""Endpoints marked up, or with the reason why not: what the controller tells the other daemons, through the records."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

from controller.planner import FIXED, FlowPlanner, Flows, Owner
from daemonkit.diff import Diff
from records.errors import RecordsError
from records.model import Endpoint, EndpointId
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Update


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """Whether an endpoint's packets pass, and if a known fault prevents it, which."""

    up: bool
    problem: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Situation:
    """The records, and what is known of the switch; `ports` is None while nothing is known of it."""

    records: Records
    installed: Mapping[Owner, Flows]
    refused: Mapping[Owner, str]
    ports: Mapping[str, int] | None


class MarkPlanner:
    """How the endpoints of this host should be marked."""

    def __init__(self, plan: FlowPlanner) -> None:
        self._plan = plan

    def keys(self, source: Situation) -> Collection[EndpointId]:
        """Return all endpoints of this host."""
        return [endpoint.id for endpoint in source.records.endpoints.of(host=self._plan.host(source.records).id)]

    def want(self, source: Situation, key: EndpointId) -> Mark | None:
        """Return the mark of an endpoint; None where it is not, or not of this host."""
        endpoint = source.records.endpoints.get(key)
        if endpoint is None or endpoint.host != self._plan.host(source.records).id:
            return None
        docker_network = source.records.docker_networks.get(endpoint.docker_network)
        owners: list[Owner] = [endpoint.id, endpoint.network, FIXED]
        if docker_network is not None:
            owners.append(docker_network.vrf)
        wanted = {owner: self._plan.want(source.records, owner) or () for owner in owners}
        return judge(endpoint, wanted, source)


def judge(endpoint: Endpoint, wanted: Mapping[Owner, Flows], situation: Situation) -> Mark:
    """Return the mark of an endpoint that needs these flows.

    What is merely not known yet (no connection, a port that has not come, flows on their way) changes nothing: an
    endpoint that was up stays so, and for a new one there is no fault to tell.
    """
    as_it_was = Mark(endpoint.up, endpoint.problem)
    missing = [owner for owner, flows in wanted.items() if situation.installed.get(owner, ()) != flows]
    refused = [situation.refused[owner] for owner in missing if owner in situation.refused]
    if situation.ports is None or not wanted[endpoint.id]:
        return as_it_was
    if refused:
        return Mark(up=False, problem=refused[0])
    number = situation.ports.get(endpoint.port)
    if number is None:
        return Mark(up=False, problem=f"port {endpoint.port} is no longer in the switch") if endpoint.up else as_it_was
    if number != endpoint.ofport:
        problem = f"port {endpoint.port} has OpenFlow number {number}, not {endpoint.ofport} as recorded"
        return Mark(up=False, problem=problem)
    return as_it_was if missing else Mark(up=True)


class EndpointMarks:
    """Actuator for the marks in the records; used from a loop's thread only."""

    def __init__(
        self,
        store: Store,
        mine: Callable[[Records], Collection[EndpointId]],
        risen: Callable[[Sequence[EndpointId]], None] = lambda _: None,
    ) -> None:
        """Tell `risen` which endpoints have come up."""
        self._store = store
        self._mine = mine
        self._risen = risen

    def read(self, keys: Collection[EndpointId] | None) -> Mapping[EndpointId, Mark]:
        """Return the marks as they are."""
        records = self._store.snapshot()
        found = (records.endpoints.get(key) for key in (self._mine(records) if keys is None else keys))
        return {e.id: Mark(e.up, e.problem) for e in found if e is not None}

    def apply(self, change: Diff[EndpointId, Mark]) -> Mapping[EndpointId, str]:
        """Write all marks in one commit.

        Raises:
            OSError: the database is away; the loop tries again.

        """

        def decision(records: Records) -> tuple[Sequence[Update], None]:
            found = [(records.endpoints.get(key), mark) for key, mark in change.change.items()]
            return [
                Update(endpoint, dataclasses.replace(endpoint, up=mark.up, problem=mark.problem))
                for endpoint, mark in found
                if endpoint is not None and Mark(endpoint.up, endpoint.problem) != mark
            ], None

        try:
            decide(self._store, decision)
        except RecordsError as error:
            raise OSError(f"endpoints cannot be marked: {error}") from error
        if risen := [key for key, mark in change.change.items() if mark.up]:
            self._risen(risen)
        return {}
