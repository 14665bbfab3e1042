"""The actuator of flows: only what differs is sent, in one bundle; what is not ours is not touched."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from controller.actions import load
from controller.fields import REG3
from controller.flow import OURS, Flow, flow
from controller.match import IPV4, in_port, ip_src
from controller.openflow import content
from controller.pipeline import Feature, Table
from controller.planner import UNCLAIMED, Flows, Owner
from controller.session import DisconnectedError
from controller.switch import SwitchFlows
from daemonkit.diff import diff
from tests.fake_switch import FakeSwitch

A, B, C = (uuid.UUID(int=number) for number in (1, 2, 3))


def made(number: int, *, to: int = 0) -> Flow:
    return flow(Feature.FORWARDING, Table.FORWARD, number % 100, (in_port(number),), (load(to, REG3),), Table.OUT)


def settle(actuator: SwitchFlows, wanted: Mapping[Any, Flows], keys: set[Any] | None = None) -> Mapping[Owner, str]:
    """Do what a pass of the loop does."""
    actual = actuator.read(keys)
    plan = {**wanted, UNCLAIMED: ()} if keys is None else {key: wanted[key] for key in keys if key in wanted}
    change = diff(plan, actual)
    return actuator.apply(change) if change else {}


@pytest.fixture
def switch() -> FakeSwitch:
    return FakeSwitch()


@pytest.fixture
def actuator(switch: FakeSwitch) -> SwitchFlows:
    return SwitchFlows(switch, lambda _: None)


def expected(*flows: Flow) -> set[tuple[tuple[int, int, int], bytes]]:
    return {(f.identity, content(f)) for f in flows}


def test_an_empty_switch_gets_all_flows_in_one_bundle(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    assert settle(actuator, {A: (made(1), made(2)), B: (made(3),)}) == {}

    assert switch.has() == expected(made(1), made(2), made(3))
    assert switch.bundles == [3]


def test_a_restarted_controller_finds_its_flows_and_sends_nothing(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    wanted = {A: (made(1), made(2)), B: (made(3),)}
    settle(actuator, wanted)

    again = SwitchFlows(switch, lambda _: None)
    settle(again, wanted)

    assert switch.bundles == [3]
    assert again.installed() == wanted
    assert again.read(None)[UNCLAIMED] == ()


def test_a_restarted_controller_sends_the_difference_in_one_bundle(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    settle(actuator, {A: (made(1), made(2)), B: (made(3),)})

    settle(SwitchFlows(switch, lambda _: None), {A: (made(1), made(2, to=7)), C: (made(4),)})

    assert switch.has() == expected(made(1), made(2, to=7), made(4))
    assert switch.bundles == [3, 3]  # a replacement, an addition, a deletion


def test_flows_of_others_are_never_touched(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    switch.put(made(50), cookie=0x1234)
    switch.put(made(51), cookie=0)

    settle(actuator, {A: (made(1),)})
    settle(actuator, {})

    assert {identity[0] for identity, _ in switch.has()} == {0x1234, 0}


def test_strangers_that_bear_our_mark_are_swept(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    switch.put(made(50), cookie=OURS | 5)

    settle(actuator, {A: (made(1),)})

    assert switch.has() == expected(made(1))
    assert switch.bundles == [2]


def test_flows_that_somebody_deleted_come_back(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    wanted = {A: (made(1), made(2)), B: (made(3),)}
    settle(actuator, wanted)
    switch.lose([made(2)])

    settle(actuator, wanted)

    assert switch.has() == expected(made(1), made(2), made(3))
    assert switch.bundles == [3, 1]


def test_flows_whose_actions_somebody_changed_are_put_right(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    wanted = {A: (made(1), made(2))}
    settle(actuator, wanted)
    switch.put(made(2), shown=content(made(2, to=9)))  # as `ovs-ofctl mod-flows` does: the cookie stays

    settle(actuator, wanted)

    assert switch.has() == expected(made(1), made(2))


def test_a_switch_that_writes_flows_in_its_own_way_is_not_sent_them_for_ever(
    switch: FakeSwitch, actuator: SwitchFlows
) -> None:
    wanted = {A: (made(1), made(2)), B: (made(3),)}
    switch.shows = lambda shown: shown + bytes(8)

    for _ in range(4):
        settle(actuator, wanted)

    assert switch.bundles == [3, 3]


def test_changed_flows_are_put_right_in_such_a_switch_too(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    wanted = {A: (made(1), made(2))}
    switch.shows = lambda shown: shown + bytes(8)
    for _ in range(3):
        settle(actuator, wanted)
    switch.put(made(2), shown=content(made(2, to=9)))

    settle(actuator, wanted)

    assert switch.has() == {(f.identity, content(f) + bytes(8)) for f in wanted[A]}


def test_a_changed_owner_costs_its_own_flows_only(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    settle(actuator, {A: (made(1), made(2)), B: (made(3),)})

    settle(actuator, {A: (made(1), made(4))}, {A})

    assert switch.has() == expected(made(1), made(4), made(3))
    assert switch.bundles == [3, 2]


def test_an_owner_that_is_gone_loses_its_flows(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    settle(actuator, {A: (made(1),), B: (made(3),)})

    settle(actuator, {}, {A})

    assert switch.has() == expected(made(3))
    assert actuator.installed() == {B: (made(3),)}


def test_owners_may_swap_their_flows(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    settle(actuator, {A: (made(1),), B: (made(2),)})

    assert settle(actuator, {A: (made(2),), B: (made(1),)}) == {}

    assert switch.has() == expected(made(1), made(2))


def test_owners_may_swap_addresses(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    settle(actuator, {A: (made(1, to=1),), B: (made(2, to=2),)})

    assert settle(actuator, {A: (made(2, to=1),), B: (made(1, to=2),)}) == {}

    assert switch.has() == expected(made(2, to=1), made(1, to=2))


def test_two_owners_of_one_match_are_told_and_the_first_keeps_it(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    settle(actuator, {A: (made(1, to=1),)})

    failed = settle(actuator, {A: (made(1, to=1),), B: (made(1, to=2), made(5))})

    assert list(failed) == [B]
    assert failed[B].endswith(f"is wanted by {A} too")
    assert actuator.refused() == failed
    assert switch.has() == expected(made(1, to=1))


def test_who_lost_a_match_gets_it_when_the_other_is_gone(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    settle(actuator, {A: (made(1, to=1),), B: (made(1, to=2),)})

    settle(actuator, {B: (made(1, to=2),)}, {A})
    assert settle(actuator, {B: (made(1, to=2),)}) == {}

    assert switch.has() == expected(made(1, to=2))
    assert actuator.refused() == {}


def test_a_flow_that_the_switch_refuses_fails_its_owner_and_no_other(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    switch.refuses = lambda body: body == made(2).body

    failed = settle(actuator, {A: (made(1),), B: (made(2),), C: (made(3),)})

    assert list(failed) == [B]
    assert "refused by the switch: bad match (type 4, code 9)" in failed[B]
    assert "in_port=2" in failed[B]
    assert switch.has() == expected(made(1), made(3))


def test_many_refused_owners_do_not_keep_one_good_one_out(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    bad: dict[Any, Flows] = {uuid.UUID(int=number): (made(number),) for number in range(10, 40)}
    refused = {flows[0].body for flows in bad.values()}
    one_at_a_time: list[bytes] = []

    def refuses(body: bytes) -> bool:  # as a switch that stops at the first error
        if body in refused and not one_at_a_time:
            one_at_a_time.append(body)
            return True
        return False

    def bundle(bodies: list[bytes]) -> object:
        one_at_a_time.clear()
        return FakeSwitch.bundle(switch, bodies)

    switch.refuses = refuses
    switch.bundle = bundle  # type: ignore[method-assign, assignment]

    failed = settle(actuator, {**bad, A: (made(1),)})

    assert set(failed) == set(bad)
    assert switch.has() == expected(made(1))


def test_after_a_lost_connection_nothing_is_believed(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    settle(actuator, {A: (made(1),)})
    switch.away = True
    with pytest.raises(DisconnectedError):
        settle(actuator, {A: (made(1), made(2))}, {A})
    with pytest.raises(DisconnectedError):
        actuator.apply(diff({A: (made(1), made(2))}, {A: (made(1),)}))
    switch.away = False
    switch.restart()

    settle(actuator, {A: (made(1), made(2))}, {A})

    assert switch.has() == expected(made(1), made(2))
    assert actuator.installed() == {A: (made(1), made(2))}


def test_a_switch_that_comes_back_empty_is_filled_again(switch: FakeSwitch, actuator: SwitchFlows) -> None:
    wanted = {A: (made(1),), B: (made(2),)}
    settle(actuator, wanted)
    switch.restart()

    settle(actuator, wanted)

    assert switch.has() == expected(made(1), made(2))


def test_whoever_waits_for_owners_is_told_when_they_are_settled(switch: FakeSwitch) -> None:
    told: list[object] = []
    actuator = SwitchFlows(switch, lambda owners: told.append(owners and set(owners)))
    settle(actuator, {A: (made(1),)})

    settle(actuator, {B: (made(2),)}, {B})

    assert told == [None, {A}, {B}]


def test_two_flows_with_one_cookie_are_told(actuator: SwitchFlows) -> None:
    one = made(1)
    twin = flow(Feature.FORWARDING, Table.FORWARD, 1, (IPV4, ip_src(ipaddress.ip_address("10.0.0.1"))))
    twin = twin._replace(identity=one.identity)
    settle(actuator, {A: (one,)})

    failed = settle(actuator, {A: (one,), B: (twin,)})

    assert "has the cookie of" in failed[B]
