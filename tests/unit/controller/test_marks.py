"""When an endpoint is up, and what is said where it is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from controller.marks import EndpointMarks, Mark, MarkPlanner, Situation
from controller.planner import FlowPlanner, Flows, HostUnknownError, Owner
from daemonkit.diff import Diff
from records.memory import MemoryStore
from records.model import Endpoint
from records.snapshot import Records
from tests import host
from tests.host import GREEN, W1, W2, WEB, changed

PLAN = FlowPlanner("a")


def situation(records: Records | None = None, **more: object) -> Situation:
    """Return a host on which all is well, but for what is given."""
    records = records or host.records()
    installed: Mapping[Owner, Flows] = {o: f for o in PLAN.keys(records) if (f := PLAN.want(records, o))}
    base = Situation(records, installed, {}, host.ports())
    return dataclasses.replace(base, **more)  # type: ignore[arg-type]


def mark(at: Situation, endpoint: Endpoint = W1) -> Mark | None:
    return MarkPlanner(PLAN).want(at, endpoint.id)


def test_an_endpoint_with_its_flows_and_its_port_is_up() -> None:
    assert mark(situation()) == Mark(up=True)


@pytest.mark.parametrize("missing", [W1.id, WEB.id, GREEN.id, "fixed"])
def test_an_endpoint_is_not_up_before_all_flows_it_needs_are_in(missing: Owner) -> None:
    at = situation()
    installed = {owner: flows for owner, flows in at.installed.items() if owner != missing}

    assert mark(dataclasses.replace(at, installed=installed)) == Mark(up=False)


def test_an_endpoint_whose_flows_are_of_older_records_is_not_up() -> None:
    at = situation()

    assert mark(dataclasses.replace(at, records=changed(at.records, W1, mac="0a:00:00:00:00:01"))) == Mark(up=False)


def test_a_port_that_has_not_come_is_no_fault() -> None:
    assert mark(situation(ports={})) == Mark(up=False)


def test_a_port_under_another_number_is_a_fault() -> None:
    said = f"port {W1.port} has OpenFlow number 7, not 11 as recorded"

    assert mark(situation(ports={W1.port: 7})) == Mark(up=False, problem=said)


def test_a_port_that_was_there_and_is_gone_is_a_fault() -> None:
    at = situation(changed(host.records(), W1, up=True), ports={})

    assert mark(at) == Mark(up=False, problem=f"port {W1.port} is no longer in the switch")


@pytest.mark.parametrize("owner", [W1.id, WEB.id, GREEN.id])
def test_refused_flows_are_a_fault(owner: Owner) -> None:
    at = situation(refused={owner: "flow refused"})
    installed = {o: flows for o, flows in at.installed.items() if o != owner}

    assert mark(dataclasses.replace(at, installed=installed)) == Mark(up=False, problem="flow refused")


def test_what_was_refused_and_is_in_now_is_no_fault() -> None:
    assert mark(situation(refused={W1.id: "flow refused"})) == Mark(up=True)


def test_refused_flows_of_another_endpoint_are_not_ours() -> None:
    assert mark(situation(refused={W2.id: "flow refused"})) == Mark(up=True)


@pytest.mark.parametrize("before", [Mark(up=True), Mark(up=False), Mark(up=False, problem="as before")])
def test_without_connection_nothing_is_known_and_nothing_changes(before: Mark) -> None:
    records = changed(host.records(), W1, up=before.up, problem=before.problem)

    assert mark(situation(records, ports=None, installed={})) == before


def test_an_endpoint_that_is_up_stays_so_while_its_networks_flows_change() -> None:
    at = situation(changed(host.records(), W1, up=True))
    renumbered = changed(at.records, WEB, segment=77)

    assert mark(dataclasses.replace(at, records=renumbered)) == Mark(up=True)


def test_a_fault_that_is_over_is_forgotten() -> None:
    assert mark(situation(changed(host.records(), W1, problem="was bad"))) == Mark(up=True)


def test_endpoints_of_other_hosts_are_not_marked() -> None:
    records = host.records()

    assert MarkPlanner(FlowPlanner("b")).keys(situation(records)) == []
    assert MarkPlanner(FlowPlanner("b")).want(situation(records), W1.id) is None


def test_nothing_is_marked_on_a_host_that_the_records_do_not_know() -> None:
    with pytest.raises(HostUnknownError):
        MarkPlanner(FlowPlanner("unheard-of")).keys(situation())


def test_marks_that_wait_are_written_in_one_commit() -> None:
    store = MemoryStore(host.records())
    commits: list[int] = []
    store.watch(lambda changes: commits.append(len(changes)))
    actuator = EndpointMarks(store, lambda _: [W1.id, W2.id])

    actuator.apply(Diff({}, {W1.id: Mark(up=True), W2.id: Mark(up=False, problem="why")}, {}))

    assert commits == [2]
    assert actuator.read(None) == {W1.id: Mark(up=True), W2.id: Mark(up=False, problem="why")}


def test_a_mark_that_is_there_already_is_not_written() -> None:
    store = MemoryStore(host.records())
    commits: list[int] = []
    store.watch(lambda changes: commits.append(len(changes)))

    EndpointMarks(store, lambda _: []).apply(Diff({}, {W1.id: Mark(up=False)}, {}))

    assert commits == []


def test_an_endpoint_that_went_meanwhile_is_not_marked() -> None:
    store = MemoryStore(host.records().replaced([(W1, None)]))
    actuator = EndpointMarks(store, lambda _: [])

    assert actuator.apply(Diff({}, {W1.id: Mark(up=True)}, {})) == {}
    assert actuator.read({W1.id}) == {}


def test_who_comes_up_is_told_of_and_nobody_else() -> None:
    risen: list[object] = []
    actuator = EndpointMarks(MemoryStore(host.records()), lambda _: [], risen.extend)

    actuator.apply(Diff({}, {W1.id: Mark(up=True), W2.id: Mark(up=False, problem="why")}, {}))
    actuator.apply(Diff({}, {W2.id: Mark(up=False)}, {}))

    assert risen == [W1.id]


def test_marks_are_tried_again_when_the_database_is_away() -> None:
    store = MemoryStore(host.records())
    store.cut("no leader")

    with pytest.raises(OSError, match="endpoints cannot be marked: no leader"):
        EndpointMarks(store, lambda _: []).apply(Diff({}, {W1.id: Mark(up=True)}, {}))
