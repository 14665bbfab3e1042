"""Our bytes are those of both libraries and of Open vSwitch, field by field, action by action, message by message."""

from __future__ import annotations

import importlib
import importlib.util
import struct
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller import fields, meter, openflow
from controller.actions import BACK, DEC_TTL, POP_VLAN, Action, load, move, output, output_by, push_vlan, set_field
from controller.fields import FIELDS, Field
from controller.flow import Flow, flow
from controller.framework import Framework, Name
from controller.match import term
from controller.meter import Command
from controller.openflow import Seen
from controller.pipeline import Feature, Table
from controller.planner import FlowPlanner, fixed
from controller.session import Session
from tests import host

NAMES = {  # the libraries' names of fields in matches and set_field
    fields.IPV4_SRC: "ipv4_src",
    fields.IPV4_DST: "ipv4_dst",
    fields.ND_TARGET: "ipv6_nd_target",
    fields.ND_TLL: "ipv6_nd_tll",
}
MASKED = [f for f in FIELDS if f.size >= 4 and f is not fields.IN_PORT]  # the others are never masked by us
LIBRARIES: list[Name] = ["os_ken", "ryu"]


@pytest.fixture(scope="module", params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    """The library's parser module with a datapath that only knows its version."""
    name: Name = request.param
    Framework(name, "/nowhere", Session("/nowhere"))._library.load()

    class Library:
        parser = importlib.import_module(f"{name}.ofproto.ofproto_v1_3_parser")
        protocol = importlib.import_module(f"{name}.ofproto.ofproto_v1_3")
        datapath = importlib.import_module(f"{name}.ofproto.ofproto_protocol").ProtocolDesc(version=4)

        def message(self, message: Any, xid: int) -> bytes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                message.set_xid(xid)
                message.serialize()
            return bytes(message.buf)

    return Library()


def value(field: Field) -> int:
    """Return a value whose bytes all differ."""
    return int.from_bytes(bytes(range(1, field.size + 1))) & field.full


def written(field: Field, number: int) -> Any:
    from controller.match import written as text

    return number if field.form in {fields.Form.NUMBER, fields.Form.HEX} else text(field.form, number)


def terms(wire: bytes) -> Iterator[bytes]:
    """Take a match apart."""
    while len(wire) >= 4 and wire[:4] != bytes(4):
        yield wire[: 4 + wire[3]]
        wire = wire[4 + wire[3] :]


@pytest.mark.parametrize(
    ("field", "masked"),
    [(f, False) for f in FIELDS] + [(f, True) for f in MASKED],
    ids=lambda given: given.name if isinstance(given, Field) else "masked" if given else "exact",
)
def test_a_term_is_what_the_library_writes(library: Any, field: Field, masked: bool) -> None:
    mask = field.full ^ (field.full >> field.bits // 2) if masked else None
    number = value(field) & (mask if mask is not None else field.full)
    asked: Any = written(field, number) if mask is None else (written(field, number), written(field, mask))

    match = library.parser.OFPMatch(**{NAMES.get(field, field.name): asked})
    buffer = bytearray()
    match.serialize(buffer, 0)

    assert list(terms(bytes(buffer[4:]))) == [term(field, number, mask).wire]


LOADABLE = [field for field in FIELDS if field.nxm and field.size <= 8]
MOVABLE = [field for field in FIELDS if field.nxm]


def name_in_actions(library: Any, field: Field) -> str:
    """Return the library's name of the header that Nicira's actions point by."""
    plain = NAMES.get(field, field.name)
    for name in (plain, f"{plain}_nxm", field.name):
        buffer = bytearray(4)
        try:
            number = library.protocol.oxm_from_user_header(name)
        except KeyError:
            continue
        library.protocol.oxm_serialize_header(number, buffer, 0)
        if bytes(buffer) == field.nxm.to_bytes(4):
            return name
    raise AssertionError(f"{field.name} has no header {field.nxm:#x} in the library")


def wire(action: Any) -> bytes:
    buffer = bytearray()
    action.serialize(buffer, 0)
    return bytes(buffer)


@pytest.mark.parametrize("field", LOADABLE, ids=lambda field: field.name)
def test_load_is_what_the_library_writes(library: Any, field: Field) -> None:
    number = value(field) & field.full

    whole = library.parser.NXActionRegLoad(field.bits - 1, name_in_actions(library, field), number)

    assert load(number, field).wire == wire(whole)


def test_load_of_some_bits_is_what_the_library_writes(library: Any) -> None:
    name = name_in_actions(library, fields.ARP_SHA)

    assert load(0x242, fields.ARP_SHA, 32, 16).wire == wire(library.parser.NXActionRegLoad(32 << 6 | 15, name, 0x242))


@pytest.mark.parametrize("field", MOVABLE, ids=lambda field: field.name)
def test_move_is_what_the_library_writes(library: Any, field: Field) -> None:
    same = [other for other in MOVABLE if other.size == field.size]
    for other in same:
        names = name_in_actions(library, field), name_in_actions(library, other)
        assert move(field, other).wire == wire(library.parser.NXActionRegMove(*names, field.bits, 0, 0))


def test_move_into_some_bits_is_what_the_library_writes(library: Any) -> None:
    names = name_in_actions(library, fields.ARP_TPA), name_in_actions(library, fields.ARP_SHA)

    assert move(fields.ARP_TPA, fields.ARP_SHA).wire == wire(library.parser.NXActionRegMove(*names, 32, 0, 0))
    assert move(fields.ARP_TPA, fields.ARP_SHA, 16).wire == wire(library.parser.NXActionRegMove(*names, 32, 0, 16))


@pytest.mark.parametrize("field", [f for f in FIELDS if f is not fields.IN_PORT], ids=lambda field: field.name)
def test_set_field_is_what_the_library_writes(library: Any, field: Field) -> None:
    asked = {NAMES.get(field, field.name): written(field, value(field))}

    assert set_field(field, value(field)).wire == wire(library.parser.OFPActionSetField(**asked))


def test_the_other_actions_are_what_the_library_writes(library: Any) -> None:
    parser, protocol = library.parser, library.protocol

    assert BACK.wire == wire(parser.OFPActionOutput(protocol.OFPP_IN_PORT, 0))
    assert DEC_TTL.wire == wire(parser.OFPActionDecNwTtl())
    assert output(300).wire == wire(parser.OFPActionOutput(300, 0))
    assert POP_VLAN.wire == wire(parser.OFPActionPopVlan())
    tag = [parser.OFPActionPushVlan(0x8100), parser.OFPActionSetField(vlan_vid=0x1064)]
    assert [action.wire for action in push_vlan(100)] == [wire(action) for action in tag]
    assert output_by(fields.REG3).wire == wire(parser.NXActionOutputReg(31, "reg3", 0xFFFF))


def library_flow(library: Any, ours: Flow, command: int, mask: int) -> Any:
    """Return the flow as an object of the library, of the same match and instructions."""
    parser = library.parser
    match = parser.OFPMatch(
        **{NAMES.get(t.field, t.field.name): written(t.field, t.value) for t in ours.match if t.mask is None}
    )
    done = [parser.OFPActionSetField(eth_src="02:00:00:00:00:01"), parser.OFPActionDecNwTtl()]
    instructions = [
        parser.OFPInstructionActions(library.protocol.OFPIT_APPLY_ACTIONS, done),
        parser.OFPInstructionGotoTable(int(ours.goto or 0)),
    ]
    deleting = command == library.protocol.OFPFC_DELETE_STRICT
    return parser.OFPFlowMod(
        library.datapath,
        cookie=ours.cookie,
        cookie_mask=mask,
        table_id=int(ours.table),
        command=command,
        priority=ours.priority,
        out_port=library.protocol.OFPP_ANY,
        out_group=library.protocol.OFPG_ANY,
        match=match,
        instructions=[] if deleting else instructions,
    )


EXAMPLE_FEATURE = Feature.ROUTING
EXAMPLE = flow(
    EXAMPLE_FEATURE,
    Table.ROUTE,
    77,
    (term(fields.IN_PORT, 5), term(fields.ETH_SRC, 0x020000000002)),
    (set_field(fields.ETH_SRC, 0x020000000001), DEC_TTL),
    Table.OUT,
)


def test_a_flow_with_a_meter_is_what_the_library_writes(library: Any) -> None:
    parser = library.parser
    ours = flow(EXAMPLE_FEATURE, EXAMPLE.table, 77, EXAMPLE.match, EXAMPLE.actions, EXAMPLE.goto, meter=0x10005)
    theirs = library_flow(library, ours, library.protocol.OFPFC_ADD, 0)
    theirs.instructions.insert(0, parser.OFPInstructionMeter(0x10005))

    assert library.message(theirs, 1)[8:] == ours.body
    assert "actions=meter:65541,set_field:" in ours.text
    assert ours.place == EXAMPLE.place
    assert ours.cookie != EXAMPLE.cookie


@pytest.mark.parametrize("command", Command)
def test_a_meter_mod_is_what_the_library_writes(library: Any, command: Command) -> None:
    parser, protocol = library.parser, library.protocol
    limit = meter.meter(0x20005, 10_000)
    bands = [] if command is Command.DELETE else [parser.OFPMeterBandDrop(10_000, 2_500)]
    flags = protocol.OFPMF_KBPS | protocol.OFPMF_BURST
    message = parser.OFPMeterMod(library.datapath, int(command), flags, 0x20005, bands)

    assert meter.modification(7, command, limit) == library.message(message, 7)


def test_meters_are_asked_for_and_read_as_the_library_does(library: Any) -> None:
    ask = library.parser.OFPMeterConfigStatsRequest(library.datapath, 0, library.protocol.OFPM_ALL)
    limits = [meter.meter(number, rate) for number, rate in ((0x10005, 2_000), (0x20005, 10_000))]
    shown = b"".join(struct.pack("!HHIHHIIxxxx", 24, 5, m.number, 1, 16, m.rate, m.burst) for m in limits)

    theirs = library.parser.OFPMeterConfigStats.parser(shown, 24)

    assert meter.request(7) == library.message(ask, 7)
    assert list(meter.parse(shown)) == limits
    assert limits[1] == (theirs.meter_id, theirs.bands[0].rate, theirs.bands[0].burst_size)


def test_a_meter_of_another_make_is_seen_as_one_that_is_not_wanted() -> None:
    packets = struct.pack("!HHIHHIIxxxx", 24, 6, 0x10005, 1, 16, 2_000, 600)
    remark = struct.pack("!HHIHHIIBxxx", 24, 5, 0x10006, 2, 16, 2_000, 600, 1)
    empty = struct.pack("!HHI", 8, 5, 0x10007)

    assert [(m.number, m.rate) for m in meter.parse(packets + remark + empty)] == [
        (0x10005, 0),
        (0x10006, 0),
        (0x10007, 0),
    ]


def test_a_bundle_is_what_the_library_writes(library: Any) -> None:
    parser, protocol = library.parser, library.protocol
    flags = protocol.ONF_BF_ATOMIC | protocol.ONF_BF_ORDERED
    add = library_flow(library, EXAMPLE, protocol.OFPFC_ADD, 0)
    away = library_flow(library, EXAMPLE, protocol.OFPFC_DELETE_STRICT, (1 << 64) - 1)
    for xid, message in enumerate((add, away), 100):
        message.set_xid(xid)
    messages = [
        (parser.ONFBundleCtrlMsg(library.datapath, 9, protocol.ONF_BCT_OPEN_REQUEST, flags, []), 102),
        (parser.ONFBundleAddMsg(library.datapath, 9, flags, add, []), 100),
        (parser.ONFBundleAddMsg(library.datapath, 9, flags, away, []), 101),
        (parser.ONFBundleCtrlMsg(library.datapath, 9, protocol.ONF_BCT_COMMIT_REQUEST, flags, []), 102),
    ]

    ours = openflow.bundle(9, [EXAMPLE.body, openflow.deletion(EXAMPLE.identity, openflow.content(EXAMPLE))], 100)

    assert b"".join(ours) == b"".join(library.message(message, xid) for message, xid in messages)


def test_the_requests_are_what_the_library_writes(library: Any) -> None:
    parser, protocol, datapath = library.parser, library.protocol, library.datapath
    everything = 0x7
    masks = parser.OFPSetAsync(datapath, [0, 0], [everything, everything], [0, 0])
    stats = parser.OFPFlowStatsRequest(
        datapath, 0, 60, protocol.OFPP_ANY, protocol.OFPG_ANY, 5 << 48, 0xFF << 48, parser.OFPMatch()
    )

    assert openflow.barrier(7) == library.message(parser.OFPBarrierRequest(datapath), 7)
    assert openflow.ports_request(7) == library.message(parser.OFPPortDescStatsRequest(datapath, 0), 7)
    assert openflow.flows_request(7, 5 << 48, 0xFF << 48, 60) == library.message(stats, 7)
    to_table = parser.OFPActionOutput(protocol.OFPP_TABLE, 0)
    out = parser.OFPPacketOut(datapath, protocol.OFP_NO_BUFFER, 51, [to_table], b"frame")
    assert openflow.packet_out(7, 51, b"frame") == library.message(out, 7)
    config = library.message(parser.OFPSetConfig(datapath, 0, 0), 7)
    assert openflow.asynchronous(7) == config + library.message(masks, 7)


def test_flow_statistics_are_read_as_the_library_reads_them(library: Any) -> None:
    shown = openflow.content(EXAMPLE)
    head = struct.pack(
        "!HBxIIHHHH4xQQQ", 48 + len(shown), EXAMPLE.table, 1, 2, EXAMPLE.priority, 0, 0, 0, EXAMPLE.cookie, 42, 4200
    )

    theirs = library.parser.OFPFlowStats.parser(head + shown, 0)

    assert ((theirs.cookie, theirs.table_id, theirs.priority), theirs.packet_count) == (EXAMPLE.identity, 42)
    assert list(openflow.parse_flows((head + shown) * 2)) == [Seen(EXAMPLE.identity, shown, 42)] * 2


def ofctl(*argv: str) -> list[str]:
    """Return what `ovs-ofctl` prints of flow-mods, one a line, without what differs by nature (xid)."""
    done = subprocess.run(["ovs-ofctl", "-O", "OpenFlow13", *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.partition("): ")[2] for line in done.stdout.splitlines() if "OFPT_FLOW_MOD" in line]


def every_flow() -> list[Flow]:
    plan, records = FlowPlanner("a"), host.records()
    return [flow for owner in plan.keys(records) for flow in plan.want(records, owner) or ()]


def test_open_vswitch_reads_our_bytes_as_our_text(tmp_path: Path) -> None:
    flows = [*every_flow(), *fixed()]
    texts, wires = tmp_path / "texts", tmp_path / "bytes"
    texts.write_text("".join(f"cookie={flow.cookie:#x}, {flow.text}\n" for flow in flows))
    wires.write_bytes(b"".join(struct.pack("!BBHI", 4, 14, 8 + len(f.body), 1) + f.body for f in flows))

    by_text, by_bytes = ofctl("parse-flows", str(texts)), ofctl("ofp-parse", str(wires))

    assert len(by_bytes) == len(flows)
    assert by_text == by_bytes


def test_all_that_the_features_do_is_compared_with_the_libraries() -> None:
    """The tests above know the kinds of actions that flows are made of; a new one must be added to them."""

    def kind(action: Action) -> str:
        return action.text.partition(":")[0]

    used = {kind(action) for flow in every_flow() for action in flow.actions}

    assert used == {"load", "move", "set_field", "output", "in_port", "dec_ttl", "push_vlan", "pop_vlan"}
