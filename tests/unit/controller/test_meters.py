"""Limits of endpoints: which meters, and how they come into a switch."""

import dataclasses

import pytest

from controller.meter import Meter, meter, ours, port_of, receiving, sending
from controller.planner import FlowPlanner
from controller.rates import MeterPlanner, metered
from controller.session import DisconnectedError
from controller.switch_meters import SwitchMeters
from daemonkit.diff import Diff
from records.store import Change
from tests import host
from tests.fake_switch import FakeSwitch
from tests.host import L1, W1, changed

RECEIVE, SEND = Meter(0x2000F, 10_000, 2_500), Meter(0x1000F, 2_000, 600)


def test_an_endpoint_has_a_meter_for_each_direction_that_is_limited() -> None:
    plan, records = MeterPlanner(FlowPlanner("a")), host.records()

    assert {RECEIVE.number, SEND.number} == set(plan.keys(records))
    assert RECEIVE == plan.want(records, RECEIVE.number)
    assert SEND == plan.want(records, SEND.number)
    one_way = changed(records, L1, send_rate=None)
    assert [RECEIVE.number] == list(plan.keys(one_way))
    assert plan.want(one_way, SEND.number) is None


@pytest.mark.parametrize("number", [1, 15, 0xFFFF, 0x1000B, 0x30001, 0xFFFFFFFF])
def test_no_other_meter_is_wanted(number: int) -> None:
    assert MeterPlanner(FlowPlanner("a")).want(host.records(), number) is None


def test_a_change_of_an_endpoint_concerns_its_meters_as_they_were_and_are() -> None:
    moved = dataclasses.replace(L1, ofport=16, receive_rate=None)

    assert {0x1000F, 0x2000F, 0x10010} == metered(Change(L1, moved))
    assert {0x1000F, 0x2000F} == metered(Change(L1, None))
    assert set() == metered(Change(None, W1))
    assert set() == metered(Change(host.WEB, None))


@pytest.mark.parametrize("port", [1, 15, 65279])
def test_numbers_of_meters_tell_their_port_and_never_meet(port: int) -> None:
    for number in (receiving(port), sending(port)):
        assert port == port_of(number)
        assert ours(number)
        assert number < 200_000  # what Linux's datapath has
    assert receiving(port) != sending(port)


@pytest.mark.parametrize(("rate", "burst"), [(256, 600), (5_000, 1_250), (100_000, 25_000)])
def test_a_burst_is_a_quarter_of_a_second_or_a_packet(rate: int, burst: int) -> None:
    assert burst == meter(1, rate).burst


def test_meters_come_change_and_go() -> None:
    switch = FakeSwitch()
    actuator = SwitchMeters(switch)

    assert {} == actuator.read(None)
    assert {} == actuator.apply(Diff({RECEIVE.number: RECEIVE, SEND.number: SEND}, {}, {}))
    assert {RECEIVE.number: RECEIVE, SEND.number: SEND} == switch.limits == actuator.read(None)
    other = SEND._replace(rate=3_000)
    assert {} == actuator.apply(Diff({}, {SEND.number: other}, {RECEIVE.number: RECEIVE}))
    assert {SEND.number: other} == switch.limits == actuator.read([SEND.number, RECEIVE.number])


def test_meters_of_others_are_not_seen() -> None:
    switch = FakeSwitch()
    switch.limits = {7: Meter(7, 1, 1), 0x30000: Meter(0x30000, 1, 1)}

    assert {} == SwitchMeters(switch).read(None)


def test_a_meter_that_the_switch_refuses_fails_alone_and_the_switch_is_looked_at_again() -> None:
    switch = FakeSwitch()
    actuator = SwitchMeters(switch)
    actuator.read(None)
    switch.refuses_meters = lambda limit: limit.number == SEND.number

    failed = actuator.apply(Diff({RECEIVE.number: RECEIVE, SEND.number: SEND}, {}, {}))

    assert {SEND.number: "rate limit refused by the switch: meter-mod failed (type 12, code 11)"} == failed
    assert {RECEIVE.number: RECEIVE} == actuator.read([RECEIVE.number, SEND.number])


def test_after_a_restart_of_the_switch_its_meters_are_looked_at_again() -> None:
    switch = FakeSwitch()
    actuator = SwitchMeters(switch)
    actuator.read(None)
    actuator.apply(Diff({SEND.number: SEND}, {}, {}))

    switch.restart()

    assert {} == actuator.read([SEND.number])


def test_while_the_switch_is_away_nothing_is_known_of_its_meters() -> None:
    switch = FakeSwitch()
    actuator = SwitchMeters(switch)
    actuator.read(None)
    switch.away = True

    with pytest.raises(DisconnectedError):
        actuator.apply(Diff({SEND.number: SEND}, {}, {}))
    switch.away = False
    switch.limits = {SEND.number: SEND}  # it had heard us
    assert {SEND.number: SEND} == actuator.read([SEND.number])
