import pytest

from cli.tracing.switch import NoTrace, parse, words
from cli.tracing.system.openvswitch import ports
from controller.pipeline import Reason, Table
from tests.tracing import golden


def test_a_packet_that_is_delivered_leaves_by_the_port_of_its_destination() -> None:
    trace = parse(golden("echo.ofproto"))

    assert [0, 4, 12, 16, 36] == [lookup.table for lookup in trace.lookups]
    assert ((11601,), False) == (trace.outputs, trace.dropped)
    assert "forwarding" == trace.lookups[3].feature
    assert (
        "cookie=0x4d4f05983e5d15df, table=16, priority=200,ip,metadata=0x231b8e3,nw_dst=10.1.0.2 "
        "actions=set_field:02:42:0a:01:00:02->eth_dst,load:0x2d51->NXM_NX_REG3[],goto_table:36"
    ) == trace.lookups[3].flow


@pytest.mark.parametrize(
    ("file", "reason", "table"),
    [
        ("nobody", Reason.UNKNOWN_DESTINATION, Table.FORWARD),
        ("spoof", Reason.FALSE_SOURCE, Table.PORT_SECURITY),
        ("no-flow", None, Table.ROUTE),
    ],
)
def test_a_drop_has_its_reason_and_the_flow_that_gave_it(file: str, reason: Reason | None, table: Table) -> None:
    trace = parse(golden(f"{file}.ofproto"))

    assert trace.dropped
    assert reason is trace.reason
    assert trace.decisive is not None
    assert table == trace.decisive.table


def test_the_switch_itself_answers_who_has_an_address() -> None:
    arp, solicitation = parse(golden("arp.ofproto")), parse(golden("solicitation.ofproto"))

    assert (True, True) == (arp.back, solicitation.back)
    assert "02:42:0a:01:00:02" == arp.field("arp_sha")
    assert "02:42:0a:04:00:03" == solicitation.field("nd_tll")


def test_every_table_is_told_in_words_that_name_who_is_meant() -> None:
    trace = parse(golden("echo.ofproto"))
    told = [words(lookup, lambda number: f"<{number}>") for lookup in trace.lookups]

    assert [
        "table 0 CLASSIFY: it is of the network that its port belongs to",
        "table 4 PORT_SECURITY: it has the sender's own MAC and IP addresses",
        "table 12 ROUTE: it stays in its network",
        "table 16 FORWARD: its address is that of <11601>",
        "table 36 OUT: it leaves by the port of <11601>",
    ] == told


def test_a_missing_flow_and_a_drop_are_told_as_such() -> None:
    missing = parse(golden("no-flow.ofproto"))
    nobody = parse(golden("nobody.ofproto"))

    assert "no flow for it" in words(missing.lookups[-1], str)
    assert "table=12: no flow matches" == missing.lookups[-1].flow
    assert nobody.decisive is not None
    assert "an address of its network that nobody has, so it is dropped" in words(nobody.decisive, str)


@pytest.mark.parametrize("text", ["", "Unknown bridge\n", "<html>"])
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(NoTrace):
        parse(text)


def test_the_ports_of_the_bridge_are_read_and_those_of_others_are_not() -> None:
    shown = golden("ports.dpif") + "  br1:\n    eth9 1/1: (system)\n"
    gone = shown.replace("mv-6e26749db7b2 11601/6: (system)", "mv-6e26749db7b2 11601/none: (system: could not open)")

    assert 5017 == ports(shown, "moorage0")["mv-1645598f4b56"]
    assert "eth9" not in ports(shown, "moorage0")
    assert ports(gone, "moorage0")["mv-6e26749db7b2"] is None
