"""Matches and actions: what cannot be is refused where it is written."""

import ipaddress

import pytest

from controller import fields
from controller.actions import load, move, output_by, set_field
from controller.flow import OURS, OURS_MASK, flow
from controller.match import ARP, ICMPV6, IPV4, IPV6, arp_tpa, in_port, ip_dst, ip_src, match_text, ordered, term
from controller.pipeline import Feature, Table

A4 = ipaddress.ip_address("10.0.0.1")


def test_a_value_that_does_not_fit_its_field_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit arp_op"):
        term(fields.ARP_OP, 0x10000)


def test_a_value_with_bits_outside_its_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit reg0"):
        term(fields.REG0, 0x5, 0x4)


def test_a_negative_value_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        term(fields.IN_PORT, -1)


def test_a_mask_of_all_bits_is_none() -> None:
    assert term(fields.REG0, 5, 0xFFFFFFFF) == term(fields.REG0, 5)


def test_a_field_may_stand_once() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        ordered((in_port(1), in_port(2)))


@pytest.mark.parametrize("match", [(ip_src(A4),), (IPV6, ip_src(A4)), (ARP, ip_dst(A4)), (IPV4, arp_tpa(A4))])
def test_a_field_needs_its_protocol(match: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="needs eth_type"):
        ordered(match)  # type: ignore[arg-type]


def test_a_neighbours_target_needs_a_message_that_has_one() -> None:
    echo = term(fields.ICMPV6_TYPE, 128)

    with pytest.raises(ValueError, match="nd_target needs icmpv6_type"):
        ordered((IPV6, ICMPV6, echo, term(fields.ND_TARGET, 1)))


def test_the_order_of_writing_does_not_matter() -> None:
    one = flow(Feature.ROUTING, Table.ROUTE, 1, (IPV4, in_port(1), ip_src(A4)))
    other = flow(Feature.ROUTING, Table.ROUTE, 1, (ip_src(A4), in_port(1), IPV4))

    assert one == other
    assert hash(one) == hash(other)


def test_flows_that_differ_in_anything_have_different_cookies() -> None:
    flows = [
        flow(Feature.ROUTING, Table.ROUTE, 1, (IPV4,)),
        flow(Feature.ROUTING, Table.ROUTE, 2, (IPV4,)),
        flow(Feature.ROUTING, Table.FORWARD, 1, (IPV4,)),
        flow(Feature.ROUTING, Table.ROUTE, 1, (IPV6,)),
        flow(Feature.ROUTING, Table.ROUTE, 1, (IPV4,), (), Table.OUT),
        flow(Feature.ROUTING, Table.ROUTE, 1, (IPV4,), (load(1, fields.REG3),)),
        flow(Feature.FORWARDING, Table.ROUTE, 1, (IPV4,)),
    ]

    assert len({f.cookie for f in flows}) == len(flows)
    assert {f.cookie & OURS_MASK for f in flows} == {OURS}
    assert flows[-1].cookie >> 40 & 0xFF == Feature.FORWARDING


def test_packets_go_forward_only() -> None:
    with pytest.raises(ValueError, match="forward only"):
        flow(Feature.ROUTING, Table.ROUTE, 1, (), (), Table.NEIGHBOUR)


def test_a_loaded_value_must_fit_its_bits() -> None:
    for wrong in ((0x10000, fields.ARP_SHA, 32, 16), (1, fields.REG0, 32), (0, fields.IPV6_SRC)):
        with pytest.raises(ValueError, match="does not fit"):
            load(*wrong)


def test_text_is_that_of_ovs_ofctl() -> None:
    made = flow(
        Feature.ROUTING,
        Table.ROUTE,
        7,
        (IPV4, in_port(5), ip_dst(ipaddress.ip_network("10.0.0.0/8")), term(fields.REG0, 4, 4)),
        (load(1, fields.REG0, 3, 1), move(fields.ARP_TPA, fields.ARP_SHA), set_field(fields.ETH_SRC, 1)),
        Table.OUT,
    )

    assert made.text == (
        "table=12, priority=7,ip,in_port=5,nw_dst=10.0.0.0/8,reg0=0x4/0x4 "
        "actions=load:0x1->NXM_NX_REG0[3],move:NXM_OF_ARP_TPA[]->NXM_NX_ARP_SHA[0..31],"
        "set_field:00:00:00:00:00:01->eth_src,goto_table:36"
    )
    assert flow(Feature.DROPS, Table.DROP, 0).text == "table=60, priority=0 actions=drop"
    assert output_by(fields.REG3).text == "output:NXM_NX_REG3[]"
    assert match_text((in_port(1),)) == "in_port=1"
