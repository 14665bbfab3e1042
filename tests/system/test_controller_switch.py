"""The controller and a real Open vSwitch through restarts, faults and meddling: nothing is lost, nothing is foreign."""

from __future__ import annotations

import dataclasses
import re
import time

import pytest

from controller.agent import Controller
from controller.framework import Name
from controller.meter import receiving, sending
from daemonkit.metrics import Metrics
from records.memory import MemoryStore
from records.writes import Delete, Insert, Update
from tests import host
from tests.controlled import config, is_settled, is_up, start
from tests.host import ENDPOINTS, L1, W1, W2, WEB
from tests.switch import BRIDGE, Switch, eventually

pytestmark = pytest.mark.system

FRAMEWORKS: list[Name] = ["os_ken", "ryu"]


def test_all_endpoints_are_marked_up(store: MemoryStore, controller: Controller) -> None:
    eventually(lambda: all(is_up(store, endpoint) for endpoint in ENDPOINTS))
    assert controller.status()["down"] == []


NEW = host.endpoint("new", WEB, 77, "10.1.0.77/16")


@pytest.mark.parametrize("first", ["port", "record"])
def test_an_endpoint_comes_up_when_record_and_port_are_there(
    one: Switch, store: MemoryStore, controller: Controller, first: str
) -> None:
    if first == "port":
        one.add_port(NEW.port, NEW.ofport)
    store.commit([Insert(NEW)])
    if first == "record":
        eventually(lambda: NEW.id in controller.switch.installed())
        assert not is_up(store, NEW)
        one.add_port(NEW.port, NEW.ofport)

    eventually(lambda: is_up(store, NEW))

    one.del_port(NEW.port)
    said = f"port {NEW.port} is no longer in the switch"
    eventually(lambda: (e := store.snapshot().endpoints.get(NEW.id)) is not None and e.problem == said)
    store.commit([Delete(store.snapshot().endpoints.rows[NEW.id])])
    eventually(lambda: not one.flows(f"in_port={NEW.ofport}"))


def test_a_port_with_another_number_is_told(one: Switch, store: MemoryStore, controller: Controller) -> None:
    one.add_port(NEW.port, 78)
    store.commit([Insert(NEW)])

    said = f"port {NEW.port} has OpenFlow number 78, not 77 as recorded"
    eventually(lambda: (e := store.snapshot().endpoints.get(NEW.id)) is not None and e.problem == said)
    one.del_port(NEW.port)


def test_flows_do_not_wait_for_the_database(one: Switch, store: MemoryStore, controller: Controller) -> None:
    eventually(lambda: all(is_up(store, endpoint) for endpoint in ENDPOINTS))
    one.add_port(NEW.port, NEW.ofport)
    store.commit([Insert(NEW)])
    store.cut()
    eventually(lambda: len(one.flows(f"in_port={NEW.ofport}")) > 0)

    store.mend()

    eventually(lambda: is_up(store, NEW), within=15)
    one.del_port(NEW.port)


def youngest(one: Switch) -> float:
    """Return for how many seconds the newest flow has been there; sending one again makes it new."""
    return min(map(float, re.findall(r"duration=([\d.]+)s", one.ofctl("dump-flows", BRIDGE))))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_restarted_controller_sends_nothing_and_loses_nothing(
    one: Switch, store: MemoryStore, framework: Name
) -> None:
    start(one, store, framework).stop()
    before = one.flows()
    age = youngest(one)

    again = start(one, store, framework)

    assert before == one.flows()
    assert youngest(one) >= age
    assert again.status()["flows"] == {"wanted": len(before), "had": len(before)}
    again.stop()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_changed_while_the_controller_was_away_is_caught_up(
    one: Switch, store: MemoryStore, framework: Name
) -> None:
    start(one, store, framework).stop()
    store.commit([Delete(store.snapshot().endpoints.rows[W2.id]), Insert(NEW)])
    one.ofctl("add-flow", BRIDGE, "cookie=0x4d4f000000000001,table=50,priority=9,actions=drop")

    again = start(one, store, framework)

    assert not one.flows(f"in_port={W2.ofport}")
    assert one.flows(f"in_port={NEW.ofport}")
    assert not one.flows("table=50")
    again.stop()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_deleted_and_changed_flows_come_back_and_foreign_ones_stay(
    one: Switch, store: MemoryStore, framework: Name
) -> None:
    one.ofctl("del-flows", BRIDGE)
    running = start(one, store, framework, resync=1)
    right = one.flows()
    one.ofctl("add-flow", BRIDGE, "cookie=0x99,table=50,priority=9,actions=drop")
    one.ofctl("del-flows", BRIDGE, f"in_port={W1.ofport}")
    one.ofctl("mod-flows", BRIDGE, "table=36,actions=drop")

    eventually(lambda: sorted(f for f in one.flows() if "cookie=0x99" not in f) == sorted(right), within=5)

    assert one.flows("table=50") == ["cookie=0x99, table=50, priority=9 actions=drop"]
    running.stop()
    one.ofctl("del-flows", BRIDGE, "table=50")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_switch_that_restarts_gets_its_flows_back(one: Switch, store: MemoryStore, framework: Name) -> None:
    running = start(one, store, framework)
    right = sorted(one.flows())
    one.kill_vswitchd()
    eventually(lambda: running.session.problem() is not None)
    assert running.status()["switch"]["connected"] is False

    one.start_vswitchd()

    eventually(lambda: running.session.problem() is None and sorted(one.flows()) == right, within=20)
    eventually(lambda: all(is_up(store, endpoint) for endpoint in ENDPOINTS))
    running.stop()


def test_nothing_is_deleted_before_the_records_know_the_host(one: Switch, store: MemoryStore) -> None:
    start(one, store).stop()
    before = one.flows()
    empty = MemoryStore()
    controller = Controller(config(one), empty, Metrics("test", "0"))
    controller.start()
    eventually(lambda: controller.session.listed and controller.flows.failures())
    controller.flows.settle([("flows", "*")], time.monotonic() + 1)

    assert one.flows() == before
    assert {f.reason for f in controller.flows.failures().values()} == {"host a is not in the records yet"}
    empty.commit([Insert(record) for record in host.ALL])
    eventually(lambda: is_settled(controller, empty))
    assert one.flows() == before
    controller.stop()


def test_a_host_whose_record_vanishes_keeps_its_flows(one: Switch) -> None:
    store = MemoryStore(host.records())
    controller = start(one, store)
    before = one.flows()
    renamed = dataclasses.replace(host.HOST, name="renamed")
    store.commit([Update(host.HOST, renamed)])
    eventually(lambda: bool(controller.flows.failures()))

    assert one.flows() == before
    controller.stop()


def meters(one: Switch) -> dict[int, str]:
    """Return number and band of the switch's meters, as `ovs-ofctl` shows them."""
    return {
        int(n): band
        for n, band in re.findall(r"meter=(\d+) kbps burst bands=\s*(.*)", one.ofctl("dump-meters", BRIDGE))
    }


LIMITS = {
    sending(L1.ofport): "type=drop rate=2000 burst_size=600",
    receiving(L1.ofport): "type=drop rate=10000 burst_size=2500",
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_limits_come_back_whatever_becomes_of_the_switch_and_go_with_the_endpoint(
    one: Switch, store: MemoryStore, framework: Name
) -> None:
    one.ofctl("del-flows", BRIDGE)
    one.ofctl("add-meter", BRIDGE, "meter=7,kbps,band=type=drop,rate=1")  # somebody else's
    controller = start(one, store, framework, resync=1.0)
    try:
        eventually(lambda: all(is_up(store, endpoint) for endpoint in ENDPOINTS))
        assert LIMITS == {n: band for n, band in meters(one).items() if n != 7}
        count = len(one.flows())

        one.ofctl("del-meter", BRIDGE, f"meter={sending(L1.ofport)}")  # takes the flow that names it along
        one.ofctl("mod-meter", BRIDGE, f"meter={receiving(L1.ofport)},kbps,burst,band=type=drop,rate=99,burst_size=99")
        eventually(lambda: LIMITS.items() <= meters(one).items() and len(one.flows()) == count)

        store.commit([Delete(L1)])
        eventually(lambda: not LIMITS.keys() & meters(one).keys())
    finally:
        controller.stop()
        one.ofctl("del-meter", BRIDGE, "meter=7")


def test_limits_are_in_the_switch_again_after_its_restart(
    one: Switch, store: MemoryStore, controller: Controller
) -> None:
    assert meters(one) == LIMITS

    one.kill_vswitchd()
    one.start_vswitchd()

    eventually(lambda: controller.session.connections == 2 and is_settled(controller, store), within=20)
    assert meters(one) == LIMITS
