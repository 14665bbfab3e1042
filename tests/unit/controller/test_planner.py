"""Which owner has which flows."""

import dataclasses

import pytest

from controller.pipeline import Table
from controller.planner import FENCES, FIXED, UNCLAIMED, FlowPlanner, HostUnknownError, concerned
from records.snapshot import Records
from records.store import Change
from tests import host
from tests.host import (
    APP,
    DARK,
    DARK_NET,
    ENDPOINTS,
    GREEN,
    GREY,
    KNOWN,
    L1,
    OUTSIDERS,
    P1,
    P2,
    PHYS,
    RED,
    RED_WEB,
    S1,
    SUBNETS,
    UPLINK,
    W1,
    W2,
    W3,
    WEB,
    changed,
)


def test_owners_are_the_records_of_this_host_and_three_constants() -> None:
    networks = {record.id for record in (WEB, APP, RED_WEB, DARK_NET, PHYS)}
    domains = {record.id for record in (GREEN, RED, DARK, GREY)}
    endpoints = {record.id for record in (*ENDPOINTS, *OUTSIDERS)}

    owners = FlowPlanner("a").keys(host.records())

    assert set(owners) == {FIXED, FENCES, UNCLAIMED, UPLINK.id, *networks, *domains, *endpoints}


def test_another_host_has_what_is_fixed_and_its_fences_and_nothing_else() -> None:
    assert set(FlowPlanner("b").keys(host.records())) == {FIXED, FENCES, UNCLAIMED}


@pytest.mark.parametrize("records", [Records(), host.records()])
def test_nothing_is_planned_for_a_host_that_the_records_do_not_know(records: Records) -> None:
    plan = FlowPlanner("unheard-of")

    with pytest.raises(HostUnknownError):
        plan.keys(records)
    with pytest.raises(HostUnknownError):
        plan.want(records, FIXED)


def test_nobody_wants_what_is_unclaimed() -> None:
    assert FlowPlanner("a").want(host.records(), UNCLAIMED) == ()


def test_an_owner_that_is_gone_wants_nothing() -> None:
    plan = FlowPlanner("a")
    assert plan.want(host.records(), W1.id)

    assert plan.want(host.records().replaced([(W1, None)]), W1.id) is None


def test_a_domain_without_gateway_wants_nothing() -> None:
    assert FlowPlanner("a").want(host.records(), DARK.id) is None


def test_the_same_records_give_the_same_flows_without_making_them_again() -> None:
    plan = FlowPlanner("a")
    first = plan.want(host.records(), W1.id)

    assert plan.want(changed(host.records(), W1, up=True), W1.id) is first


def test_changed_records_give_other_flows() -> None:
    plan = FlowPlanner("a")
    first = plan.want(host.records(), W1.id)

    assert plan.want(changed(host.records(), W1, ofport=99), W1.id) != first


def test_every_flow_of_a_plan_has_one_owner_and_a_place_of_its_own() -> None:
    plan, records = FlowPlanner("a"), host.records()
    flows = [flow for owner in plan.keys(records) for flow in plan.want(records, owner) or ()]

    assert len({flow.place for flow in flows}) == len({flow.identity for flow in flows}) == len(flows)


def test_a_change_of_an_endpoint_concerns_it_alone() -> None:
    assert concerned(Change(None, W1), host.records()) == {W1.id}


def test_a_change_of_an_endpoint_on_a_vlan_concerns_the_network_too_which_floods_to_it() -> None:
    assert concerned(Change(None, P1), host.records()) == {P1.id, PHYS.id}


def test_a_change_of_an_uplink_concerns_the_networks_on_it() -> None:
    assert concerned(Change(UPLINK, None), host.records()) == {UPLINK.id, PHYS.id}


def test_a_vlan_without_its_uplink_wants_nothing() -> None:
    assert FlowPlanner("a").want(host.records().replaced([(UPLINK, None)]), PHYS.id) is None


def test_the_domain_of_a_vlan_wants_nothing_for_its_gateway_is_elsewhere() -> None:
    assert FlowPlanner("a").want(host.records(), GREY.id) is None


def test_an_uplink_of_another_host_wants_nothing() -> None:
    records = changed(host.records(), UPLINK, host=host.OTHER.id)

    assert FlowPlanner("a").want(records, UPLINK.id) is None


def test_a_vlan_floods_to_the_endpoints_that_are_here() -> None:
    plan, records = FlowPlanner("a"), host.records()
    alone = records.replaced([(P2, None)])

    def floods(of: Records) -> list[str]:
        found = [flow for flow in plan.want(of, PHYS.id) or () if flow.table == Table.FLOOD]
        return [flow.text.partition("actions=")[2] for flow in found]

    out = "push_vlan:0x8100,set_field:0x1064->vlan_vid,output:300"
    assert floods(records) == ["output:51,output:52", f"output:51,output:52,{out}"]
    assert floods(alone) == ["output:51", f"output:51,{out}"]
    assert floods(alone.replaced([(P1, None)])) == []


def test_a_change_of_a_network_concerns_its_endpoints_and_domains_too() -> None:
    renumbered = dataclasses.replace(WEB, segment=9)

    assert concerned(Change(WEB, renumbered), host.records()) == {WEB.id, GREEN.id, W1.id, W2.id, W3.id, S1.id, L1.id}


def test_a_change_of_a_subnet_concerns_its_network_before_and_after() -> None:
    moved = dataclasses.replace(SUBNETS[2], network=DARK_NET.id)

    assert concerned(Change(SUBNETS[2], moved), host.records()) == {APP.id, GREEN.id, DARK_NET.id, DARK.id}


def test_a_change_of_a_domain_concerns_all_that_is_in_it() -> None:
    everyone = {RED.id, RED_WEB.id, *(e.id for e in ENDPOINTS if e.network == RED_WEB.id)}

    assert concerned(Change(RED, None), host.records()) == everyone


def test_a_subnet_without_network_concerns_nobody() -> None:
    assert concerned(Change(None, dataclasses.replace(SUBNETS[0], network=None)), host.records()) == set()


def test_a_docker_network_concerns_its_network_its_domain_and_its_endpoints() -> None:
    mine = {e.id for e in ENDPOINTS if e.network == DARK_NET.id}

    assert concerned(Change(KNOWN[DARK_NET.id], None), host.records()) == {DARK_NET.id, DARK.id, *mine}
