"""The controller as a whole, against the least of a switch: what wakes it, and what does not."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from controller import status
from controller.agent import Controller
from controller.status import Figures
from daemonkit import settings
from daemonkit.metrics import Metrics
from records.errors import Unavailable
from records.memory import MemoryStore
from records.model import Record
from records.snapshot import Records
from records.writes import Delete, Insert, Update
from tests import host
from tests.controlled import is_settled, is_up
from tests.host import ENDPOINTS, HOST, OTHER, P1, P2, W1
from tests.openflow_server import EXPERIMENTER, MULTIPART, PACKET_OUT, OpenFlowServer
from tests.switch import eventually


@pytest.fixture
def server() -> Iterator[OpenFlowServer]:
    with tempfile.TemporaryDirectory() as directory:
        one = OpenFlowServer(Path(directory) / "moorage0.mgmt")
        one.ports = dict(host.ports())
        yield one
        one.close()


def config(server: OpenFlowServer) -> settings.Config:
    return settings.Config(
        host=settings.Host(name=host.NAME),
        openvswitch=settings.OpenVSwitch(rundir=str(server.path.parent)),
        controller=settings.Controller(resync=3600),
    )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(host.records())


@pytest.fixture
def controller(server: OpenFlowServer, store: MemoryStore) -> Iterator[Controller]:
    one = Controller(config(server), store, Metrics("test", "0"))
    one.start()
    eventually(lambda: is_settled(one, store) and all(is_up(store, endpoint) for endpoint in ENDPOINTS))
    after_a_pass(one)  # the last poke of the start may be on its way yet
    yield one
    one.stop()


def seen(server: OpenFlowServer) -> tuple[int, int]:
    """Return how many changes and how many looks the switch has seen."""
    return server.last().received.count(EXPERIMENTER), server.last().received.count(MULTIPART)


def now(store: MemoryStore, record: Any) -> Any:
    return store.snapshot().tables[record.TABLE].rows[record.id]


def update(store: MemoryStore, record: Record, **columns: object) -> None:
    old = now(store, record)
    store.commit([Update(old, dataclasses.replace(old, **columns))])


def after_a_pass(controller: Controller) -> None:
    """Wait until what was poked before is done."""
    last = [("flows", endpoint.id) for endpoint in ENDPOINTS[-1:]]
    assert controller.flows.settle(last, time.monotonic() + 10) == {}


@pytest.mark.parametrize("record", [HOST, OTHER])
def test_a_heartbeat_costs_the_switch_nothing(
    controller: Controller, store: MemoryStore, server: OpenFlowServer, record: Record
) -> None:
    before = seen(server)

    update(store, record, heartbeat=7)

    after_a_pass(controller)
    assert seen(server) == before


def test_a_change_that_no_flow_depends_on_costs_the_switch_nothing(
    controller: Controller, store: MemoryStore, server: OpenFlowServer
) -> None:
    before = seen(server)

    update(store, W1, labels={"a": "b"})

    after_a_pass(controller)
    assert seen(server) == before


def test_an_endpoint_of_a_vlan_that_comes_up_is_announced_and_one_of_a_bridge_is_not(
    controller: Controller, store: MemoryStore, server: OpenFlowServer
) -> None:
    eventually(lambda: is_up(store, P1) and is_up(store, P2))
    eventually(lambda: server.last().received.count(PACKET_OUT) >= 3)  # p1 in both families, p2 in one; perhaps again
    announced = server.last().received.count(PACKET_OUT)

    update(store, W1, up=False)
    eventually(lambda: is_up(store, W1))
    update(store, P2, up=False)

    eventually(lambda: server.last().received.count(PACKET_OUT) > announced)


def test_a_new_endpoint_costs_one_bundle_and_no_look(
    controller: Controller, store: MemoryStore, server: OpenFlowServer
) -> None:
    changes, looks = seen(server)
    new = host.endpoint("new", host.WEB, 77, "10.1.0.77/16")

    store.commit([Insert(new)])

    eventually(lambda: new.id in controller.switch.installed())
    flows = len(controller.switch.installed()[new.id])
    assert seen(server) == (changes + flows + 2, looks)  # opening and commit


def test_a_mark_that_somebody_takes_away_comes_back(controller: Controller, store: MemoryStore) -> None:
    update(store, W1, up=False)

    eventually(lambda: is_up(store, W1))


def test_an_endpoint_that_goes_takes_its_flows_along(controller: Controller, store: MemoryStore) -> None:
    store.commit([Delete(now(store, W1))])

    eventually(lambda: W1.id not in controller.switch.installed())


def test_a_renamed_host_is_looked_at_anew(controller: Controller, store: MemoryStore) -> None:
    update(store, HOST, name="renamed")
    eventually(lambda: bool(controller.flows.failures()))

    update(store, HOST, name=host.NAME)

    eventually(lambda: not controller.flows.failures())


def test_many_changes_at_once_are_one_look_at_everything(controller: Controller, store: MemoryStore) -> None:
    many: Sequence[Insert] = [
        Insert(host.endpoint(f"e{n}", host.WEB, 1000 + n, f"10.1.{4 + n // 250}.{n % 250}/16")) for n in range(1100)
    ]

    store.commit(many)

    eventually(lambda: is_settled(controller, store))


def test_the_status_tells_what_is_and_what_is_not(controller: Controller, store: MemoryStore) -> None:
    store.commit([Insert(host.endpoint("new", host.WEB, 77, "10.1.0.77/16"))])
    eventually(lambda: is_settled(controller, store))

    told = controller.status()

    assert told["daemon"] == "moorage-controller"
    assert told["switch"]["connected"] is True
    assert told["flows"]["wanted"] == told["flows"]["had"] > 100
    assert [down["problem"] for down in told["down"]] == [None]
    assert told["failures"] == []


def test_the_status_of_a_controller_without_switch_and_host_tells_why() -> None:
    alone = Controller(
        settings.Config(host=settings.Host(name="x"), openvswitch=settings.OpenVSwitch(rundir="/nowhere")),
        MemoryStore(),
        Metrics("test", "0"),
    )

    told = alone.status()

    assert told["switch"]["problem"] == "not connected yet"
    assert told["flows"] == {"wanted": None, "had": 0}
    assert told["down"] == []
    assert told["drops"] is None


class Unread(MemoryStore):
    """A database that was never reached."""

    def snapshot(self) -> Records:
        raise Unavailable("no leader among unix:/nowhere")


def test_without_records_nothing_is_planned_and_nothing_sent(server: OpenFlowServer) -> None:
    controller = Controller(config(server), Unread(), Metrics("test", "0"))
    controller.start()
    eventually(lambda: controller.session.listed and bool(controller.flows.failures()))
    server.last().send(b"\x04\x0c\x00\x50" + bytes(4) + bytes(8) + b"\0\0\0\5" + bytes(12) + b"mv1" + bytes(45))
    eventually(lambda: "mv1" in (controller.session.ports() or {}))

    assert seen(server)[0] == 0
    assert {f.reason for f in controller.flows.failures().values()} == {"no leader among unix:/nowhere"}
    assert "flows" not in controller.status()
    controller.stop()


def test_metrics_tell_of_the_switch(controller: Controller) -> None:
    told = {metric.name: metric.samples for metric in Figures(controller.session, controller.switch).collect()}

    assert told["moorage_switch_connected"][0].value == 1
    assert told["moorage_switch_connections"][0].value == 1
    assert told["moorage_flows"][0].value > 100
    assert told["moorage_dropped_packets"] == []
    assert status.dropped(controller.session) == {}
