"""The controller of one host, wired by hand: records to flows to the switch, and marks back to the records."""

from __future__ import annotations

import argparse
import gc
import signal
import sys
import threading
import uuid
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import structlog

from controller import status
from controller.announcements import Announcer
from controller.framework import Framework
from controller.marks import EndpointMarks, MarkPlanner, Situation
from controller.planner import FlowPlanner, HostUnknownError, Owner, concerned
from controller.rates import MeterPlanner, metered
from controller.session import Session
from controller.switch import SwitchFlows
from controller.switch_meters import SwitchMeters
from controller.view import Attachment, attachment
from daemonkit import log as logs
from daemonkit.admin import AdminServer
from daemonkit.config import Config, ConfigError, load
from daemonkit.loop import Key, Layer, Loop
from daemonkit.metrics import Metrics
from daemonkit.version import version
from records.errors import RecordsError
from records.model import Endpoint, EndpointId, Host
from records.ovsdb import OvsdbStore
from records.snapshot import Records
from records.store import Change, Store

log = structlog.get_logger()

NAME = "moorage-controller"
# Flows live long and refer to nothing in circles; with Python's defaults (700, 10, 10) a plan of 100,000 of them spends
# a quarter of its time on the search for circles.
GARBAGE = (500_000, 20, 20)
CROWD = 1000  # changes at once from which on a look at everything is cheaper than finding out what they concern

_MARKED = ("up", "problem", "labels", "sandbox")  # columns of an endpoint that no flow depends on


class Controller:
    """Two loops: one brings the switch to the records, the other marks the endpoints; neither waits for the other."""

    def __init__(self, config: Config, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._host = config.host_name()
        path = f"{config.openvswitch.rundir}/{config.openvswitch.bridge}.mgmt"
        resync = config.controller.resync
        self.plan = FlowPlanner(self._host)
        self.session = Session(path, self._turned, self._ported)
        self.announcer = Announcer(self._on_vlan, self.session.inject)
        self.framework = Framework(config.controller.framework, path, self.session)
        self.switch = SwitchFlows(self.session, self._settled)
        marks = MarkPlanner(self.plan)
        self.flows: Loop[Records] = Loop(
            [
                Layer("meters", MeterPlanner(self.plan), SwitchMeters(self.session)),  # flows refer to them
                Layer("flows", self.plan, self.switch),
            ],
            self._records,
            resync=resync,
            metrics=metrics.loop,
        )
        self.marks: Loop[Situation] = Loop(
            [Layer("marks", marks, EndpointMarks(store, lambda r: marks.keys(self._at(r)), self.announcer.announce))],
            lambda: self._at(self._records()),
            resync=resync,
        )

    def start(self) -> None:
        """Begin; returns at once.

        Raises:
            ImportError: the configured framework is not installed.

        """
        self._store.watch(self._records_changed)
        self.framework.start()
        self.announcer.start()
        self.flows.start()
        self.marks.start()

    def stop(self) -> None:
        """End; the flows stay in the switch."""
        self.flows.stop()
        self.marks.stop()
        self.announcer.stop()
        self.framework.stop()

    def status(self) -> dict[str, Any]:
        """Return everything for `moorage status`."""
        told: dict[str, Any] = {
            "daemon": NAME,
            "host": self._host,
            "framework": self.framework.name,
            "in_sync": self.flows.in_sync,
            "records": self._store.problem(),
            "failures": [
                {"layer": layer, "key": str(key), "reason": failure.reason}
                for loop in (self.flows, self.marks)
                for (layer, key), failure in loop.failures().items()
            ],
            "switch": status.switch_status(self.session),
            "drops": status.dropped(self.session),
        }
        try:
            records = self._store.snapshot()
        except RecordsError:
            return told
        told["flows"] = status.flow_status(self.plan, self._at(records))
        told["down"] = list(status.down(self.plan, records))
        return told

    def _records(self) -> Records:
        """Return the records; where they were never read nothing is planned, and so nothing is swept."""
        try:
            return self._store.snapshot()
        except RecordsError as error:
            raise OSError(str(error)) from error

    def _at(self, records: Records) -> Situation:
        return Situation(records, self.switch.installed(), self.switch.refused(), self.session.ports())

    def _records_changed(self, changes: Sequence[Change]) -> None:
        """Poke what the changes concern; runs in the store's thread."""
        if len(changes) > CROWD or any(_identity(change.old) != _identity(change.new) for change in changes):
            self.flows.poke()
            self.marks.poke()
            return
        records = self._store.snapshot()
        keys: set[Key] = set()
        for change in changes:
            if not _only_marked(change):
                keys.update(("meters", number) for number in metered(change))
                keys.update(("flows", owner) for owner in concerned(change, records))
        if keys:
            self.flows.poke(keys)
        endpoints = [change.new.id for change in changes if isinstance(change.new, Endpoint)]
        if endpoints:
            self.marks.poke(("marks", endpoint) for endpoint in endpoints)

    def _on_vlan(self, endpoint: EndpointId) -> Attachment | None:
        """Return the endpoint if there are machines to tell about it: those of a VLAN know only what they hear."""
        try:
            records = self._store.snapshot()
            found = records.endpoints.get(endpoint)
            seen = None if found is None else attachment(records, self.plan.host(records), found)
        except (RecordsError, HostUnknownError):
            return None
        return seen if seen is not None and seen.on_vlan else None

    def _turned(self) -> None:
        """Look at everything on a new connection; runs in the framework's thread."""
        self.flows.poke()
        self.marks.poke()

    def _ported(self, port: str | None) -> None:
        """Look at the mark of a port's endpoint; runs in the framework's thread."""
        if port is None:
            self.marks.poke()
            return
        try:
            records = self._store.snapshot()
            host = self.plan.host(records)
        except (RecordsError, HostUnknownError):  # when they come, everything is looked at
            return
        named = [endpoint.id for endpoint in records.endpoints.of(host=host.id) if endpoint.port == port]
        if named:
            self.marks.poke(("marks", endpoint) for endpoint in named)

    def _settled(self, owners: Collection[Owner] | None) -> None:
        """Look at the marks of endpoints whose flows came; runs in the thread of the flows' loop."""
        records = self._store.snapshot()
        mine = [owner for owner in owners or () if isinstance(owner, uuid.UUID) and records.endpoints.get(owner)]
        others = [owner for owner in owners or () if owner not in mine]
        if owners is None or any(_shared(owner, records) for owner in others):
            self.marks.poke()
        else:
            self.marks.poke(("marks", endpoint) for endpoint in mine)


def _shared(owner: Owner, records: Records) -> bool:
    """Say whether the owner's flows are needed by many endpoints."""
    if isinstance(owner, str):
        return True
    return records.networks.get(owner) is not None or records.vrfs.get(owner) is not None


def _identity(record: Any) -> tuple[Any, ...] | None:
    return (record.id, record.name) if isinstance(record, Host) else None


def _only_marked(change: Change) -> bool:
    """Say whether a change of an endpoint leaves its flows as they are."""
    old, new = change.old, change.new
    if not isinstance(old, Endpoint) or not isinstance(new, Endpoint):
        return False
    return all(getattr(old, name) == getattr(new, name) for name in Endpoint.__slots__ if name not in _MARKED)


def main() -> None:
    """Run the daemon until it is told to stop."""
    parser = argparse.ArgumentParser(prog=NAME, description="The OpenFlow controller of this host.")
    parser.add_argument("--config", type=Path, help="configuration file")
    try:
        config = load(parser.parse_args().config)
    except ConfigError as error:
        sys.exit(f"{NAME}: {error}")
    logs.configure(config.log.level, config.log.format, NAME)
    gc.set_threshold(*GARBAGE)
    metrics = Metrics(NAME, version())
    store = OvsdbStore(config.records.remote)
    controller = Controller(config, store, metrics)
    metrics.registry.register(status.Figures(controller.session, controller.switch))
    admin = AdminServer(config.controller.admin, controller.status, metrics)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        controller.start()
        admin.start()
    except (ImportError, OSError) as error:
        sys.exit(f"{NAME}: {error}")
    metrics.ready()
    log.info("controlling", switch=controller.session.address, framework=config.controller.framework)
    stop.wait()
    admin.stop()
    controller.stop()
    store.close()


if __name__ == "__main__":
    main()
