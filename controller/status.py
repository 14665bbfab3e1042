"""What the controller tells people of itself; read by `moorage status`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.features import drops
from controller.flow import OURS, OURS_MASK
from controller.marks import Situation
from controller.pipeline import Table
from controller.planner import FlowPlanner, HostUnknownError
from controller.session import DisconnectedError, Session
from controller.switch import SwitchFlows
from records.snapshot import Records


class Figures(Collector):
    """The controller's own metrics, found out when they are asked for."""

    def __init__(self, session: Session, switch: SwitchFlows) -> None:
        self._session = session
        self._switch = switch

    def collect(self) -> Iterator[Metric]:
        """Yield connection, flows, and drops by reason."""
        connected = self._session.problem() is None
        yield GaugeMetricFamily("moorage_switch_connected", "Whether the switch is connected.", value=connected)
        yield CounterMetricFamily(
            "moorage_switch_connections", "Connections made to the switch.", value=self._session.connections
        )
        flows = sum(len(owned) for owned in self._switch.installed().values())
        yield GaugeMetricFamily("moorage_flows", "Flows in the switch.", value=flows)
        dropped_packets = CounterMetricFamily(
            "moorage_dropped_packets", "Packets dropped in the switch.", labels=["reason"]
        )
        for reason, count in (dropped(self._session) or {}).items():
            dropped_packets.add_metric([reason], count["packets"])
        yield dropped_packets


def switch_status(session: Session) -> dict[str, Any]:
    """Return the connection's state, for how many seconds it has it, and how many were made."""
    problem = session.problem()
    return {
        "address": session.address,
        "connected": problem is None,
        "seconds": round(time.time() - session.since(), 1),
        "connections": session.connections,
        "problem": problem,
        "refusal": session.refusal,
    }


def flow_status(plan: FlowPlanner, situation: Situation) -> dict[str, int | None]:
    """Return how many flows are wanted (None: not known yet) and how many are in the switch as far as we know."""
    wanted: int | None = None
    try:
        records = situation.records
        wanted = sum(len(plan.want(records, owner) or ()) for owner in plan.keys(records))
    except HostUnknownError:
        pass
    return {"wanted": wanted, "had": sum(len(flows) for flows in situation.installed.values())}


def down(plan: FlowPlanner, records: Records) -> Iterator[dict[str, str | None]]:
    """Yield the endpoints of this host that are not up, with the reason where one is known."""
    try:
        host = plan.host(records)
    except HostUnknownError:
        return
    for endpoint in records.endpoints.of(host=host.id):
        if not endpoint.up:
            yield {"endpoint": endpoint.docker_id, "port": endpoint.port, "problem": endpoint.problem}


def dropped(session: Session) -> Mapping[str, dict[str, Any]] | None:
    """Return how many packets were dropped since their flows came, by reason; None where the switch does not tell."""
    try:
        seen = session.dump(OURS, OURS_MASK, Table.DROP)
    except DisconnectedError:
        return None
    reasons = drops.reasons()
    counts: dict[str, dict[str, Any]] = {}
    for flow in seen:
        reason = reasons.get(flow.identity[0])
        if reason is not None and flow.packets:
            count = counts.setdefault(reason.name.lower(), {"packets": 0, "meaning": reason.text})
            count["packets"] += flow.packets
    return counts
