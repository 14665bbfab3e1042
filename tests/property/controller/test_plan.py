"""A plan kept up change by change is the plan made from nothing; whatever a switch had before, it ends with it."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.flow import OURS, OURS_MASK, PLACE, Flow
from controller.match import mac_number
from controller.meter import Meter
from controller.openflow import content
from controller.planner import FIXED, UNCLAIMED, FlowPlanner, Flows, Owner, View, concerned, flows
from controller.rates import MeterPlanner, metered
from controller.switch import SwitchFlows
from controller.view import Attachment, Barred, Domain, Segment, Trunk, Vlan
from daemonkit.diff import diff
from records.model import Endpoint, Gateway, Kind, Record
from records.snapshot import Records
from records.store import Change
from tests import host
from tests.fake_switch import FakeSwitch

macs = st.integers(0, (1 << 48) - 1).map(lambda number: number.to_bytes(6).hex(":"))
attachments = st.builds(
    Attachment,
    port=st.integers(1, 65279),
    mac=macs,
    ipv4=st.none() | st.ip_addresses(v=4),
    ipv6=st.none() | st.ip_addresses(v=6),
    segment=st.integers(1, (4 << 24) - 1),
    zone=st.integers(1, 65535),
    spoof=st.booleans(),
    on_vlan=st.booleans(),
    receive_meter=st.none() | st.integers(0x20000, 0x2FEFF),
    send_meter=st.none() | st.integers(0x10000, 0x1FEFF),
)
domains = st.builds(Domain, zone=st.integers(1, 65535), port=st.integers(1, 65279))
prefixes = st.one_of(
    st.builds(
        lambda ip, bits: ipaddress.ip_network((ip, bits), strict=False), st.ip_addresses(v=4), st.integers(0, 32)
    ),
    st.builds(
        lambda ip, bits: ipaddress.ip_network((ip, bits), strict=False), st.ip_addresses(v=6), st.integers(0, 128)
    ),
)
subnets = st.builds(lambda prefix, has: (prefix, prefix[0] if has else None), prefixes, st.booleans())
ports = st.integers(1, 65279)
vlans = st.builds(
    Vlan,
    key=st.integers(1, (4 << 24) - 1),
    zone=st.integers(1, 65535),
    vlan=st.integers(1, 4094),
    uplink=ports,
    members=st.lists(ports, max_size=3).map(tuple),
)
segments = st.builds(
    Segment,
    key=st.integers(1, (4 << 24) - 1),
    domains=st.lists(domains, min_size=1, max_size=2).map(tuple),
    subnets=st.lists(subnets, max_size=3).map(tuple),
)

fenced = st.builds(Barred, servers=st.lists(st.ip_addresses(), max_size=3, unique=True).map(tuple))
rates = st.integers(1, 2**31 - 1)

# What may become of each record: it goes, or comes back with other values in some columns.
VARIANTS: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "Endpoint": st.fixed_dictionaries(
        {},
        optional={
            "ofport": st.integers(1, 50),
            "mac": macs,
            "up": st.booleans(),
            "spoof": st.booleans(),
            "receive_rate": st.none() | rates,
            "send_rate": st.none() | rates,
        },
    ),
    "Network": st.fixed_dictionaries(
        {},
        optional={
            "segment": st.integers(1, 5),
            "internal": st.booleans(),
            "gateway": st.sampled_from(Gateway),
            "kind": st.sampled_from(Kind),
        },
    ),
    "Vrf": st.fixed_dictionaries(
        {}, optional={"zone": st.integers(11, 14), "host": st.sampled_from([host.HOST.id, host.OTHER.id])}
    ),
    "Docker_Network": st.fixed_dictionaries(
        {},
        optional={
            "vrf": st.sampled_from([host.GREEN.id, host.RED.id, host.DARK.id]),
            "uplink": st.sampled_from([None, host.UPLINK.id]),
            "host": st.sampled_from([host.HOST.id, host.OTHER.id]),
        },
    ),
    "Uplink": st.fixed_dictionaries(
        {}, optional={"ofport": st.integers(300, 303), "host": st.sampled_from([host.HOST.id, host.OTHER.id])}
    ),
    "Fence": st.fixed_dictionaries(
        {}, optional={"server": st.ip_addresses().map(str), "host": st.sampled_from([host.HOST.id, host.OTHER.id])}
    ),
    "Subnet": st.fixed_dictionaries(
        {}, optional={"gateway": st.none(), "network": st.sampled_from([None, host.WEB.id, host.APP.id])}
    ),
}
CHANGEABLE = [record for record in host.ALL if record.TABLE in VARIANTS]


@st.composite
def steps(draw: st.DrawFn) -> tuple[Record, Record | None]:
    """A record as it was in the beginning, and what becomes of it."""
    record = draw(st.sampled_from(CHANGEABLE))
    if draw(st.booleans()):
        return record, dataclasses.replace(record, **draw(VARIANTS[record.TABLE]))
    return record, None


def whole(records: Records) -> dict[Owner, Flows]:
    """Return the plan made from nothing."""
    plan = FlowPlanner("a")
    return {o: f for o in plan.keys(records) if (f := plan.want(records, o)) is not None}


@settings(max_examples=150)
@given(st.lists(steps(), max_size=12))
def test_a_plan_kept_up_by_changes_is_the_plan_made_from_nothing(
    changes: Sequence[tuple[Record, Record | None]],
) -> None:
    records, plan = host.records(), FlowPlanner("a")
    kept = whole(records)
    for original, new in changes:
        old = records.tables[original.TABLE].get(original.id)
        if old is None and new is None:
            continue
        records = records.replaced([(old, new)])
        for owner in concerned(Change(old, new), records):
            want = plan.want(records, owner)
            kept.pop(owner, None)
            if want is not None:
                kept[owner] = want

    expected = whole(records)
    assert {o: f for o, f in kept.items() if f} == {o: f for o, f in expected.items() if f}


def all_meters(records: Records) -> dict[int, Meter]:
    plan = MeterPlanner(FlowPlanner("a"))
    return {number: found for number in plan.keys(records) if (found := plan.want(records, number)) is not None}


@settings(max_examples=150)
@given(st.lists(steps(), max_size=12))
def test_meters_kept_up_by_changes_are_those_made_from_nothing(
    changes: Sequence[tuple[Record, Record | None]],
) -> None:
    records, plan = host.records(), MeterPlanner(FlowPlanner("a"))
    kept = all_meters(records)
    for original, new in changes:
        old = records.tables[original.TABLE].get(original.id)
        if old is None and new is None:
            continue
        if isinstance(new, Endpoint):
            holder = records.endpoints.one(host=new.host, ofport=new.ofport)
            if holder is not None and holder.id != new.id:
                continue  # the database refuses it
        records = records.replaced([(old, new)])
        for number in metered(Change(old, new)):
            kept.pop(number, None)
            if (wanted := plan.want(records, number)) is not None:
                kept[number] = wanted

    assert kept == all_meters(records)


@settings(max_examples=200)
@given(st.one_of(attachments, segments, domains, vlans, fenced, st.builds(Trunk, port=ports)))
def test_whatever_the_records_say_flows_can_be_made_of_it(view: View) -> None:
    made = list(flows(view))

    for flow in made:
        assert len(flow.body) % 8 == 0
        assert flow.cookie & OURS_MASK == OURS
        assert flow.goto is None or flow.goto > flow.table
        assert flow.place[PLACE:] == b"".join(term.wire for term in flow.match)
        assert flow.text


@settings(max_examples=100)
@given(attachments.filter(lambda at: not at.spoof))
def test_an_endpoint_enters_with_its_own_addresses_only(at: Attachment) -> None:
    for flow in flows(at):
        values = {term.field.name: term.value for term in flow.match}
        if flow.table == 4 and not values.get("reg0"):  # the others are about what comes from the uplink
            assert values["in_port"] == at.port
            assert values["eth_src"] == mac_number(at.mac)
            assert values.get("nw_src", values.get("arp_spa")) in {None, 0, at.ipv4 and int(at.ipv4)}


FLOWS = [flow for owned in whole(host.records()).values() for flow in owned]


@settings(max_examples=100)
@given(
    before=st.lists(st.tuples(st.sampled_from(FLOWS), st.sampled_from(["ours", "altered", "marked", "foreign"]))),
    between=st.lists(st.sampled_from(FLOWS), unique=True),
)
def test_whatever_a_switch_had_before_it_ends_with_the_plan(
    before: Sequence[tuple[Flow, str]], between: Sequence[Flow]
) -> None:
    switch = FakeSwitch()
    for flow, kind in before:
        cookie = {"marked": OURS | 7, "foreign": 0x99}.get(kind)  # a flow of ours takes the place of a foreign one
        switch.put(flow, cookie=cookie, shown=content(FLOWS[0]) if kind == "altered" else None)
    actuator, plan = SwitchFlows(switch, lambda _: None), whole(host.records())

    for lost in ([], between):
        switch.lose(lost)
        assert not actuator.apply(diff(plan, actuator.read(None)))

    assert switch.has() == {(flow.identity, content(flow)) for flow in FLOWS}
    assert actuator.installed() == {o: f for o, f in plan.items() if o != UNCLAIMED}
    assert FIXED in plan
