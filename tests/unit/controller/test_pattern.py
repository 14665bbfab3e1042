"""A pattern stands for flows: filled in, it is the flow that `flow` makes of the same."""

import ipaddress

import pytest

from controller import fields
from controller.actions import load
from controller.flow import flow
from controller.match import ARP, IPV4, arp_spa, eth_src, in_port, ip_dst, ip_src
from controller.pattern import Pattern
from controller.pipeline import Feature, Table

FEATURE, TABLE = Feature.FORWARDING, Table.FORWARD
MAC, IP = "02:42:25:25:25:25", ipaddress.IPv4Address("37.37.37.37")  # 0x25 is a percent sign
VALUES = ((7).to_bytes(4), bytes.fromhex("024225252525"), IP.packed)
MARK = (load(1, fields.REG3),)


@pytest.mark.parametrize("meter", [None, 0x10005])
@pytest.mark.parametrize("own", [None, (), (load(2, fields.REG3),)])
def test_a_filled_pattern_is_the_flow_of_these_values(own: tuple[()] | None, meter: int | None) -> None:
    pattern = Pattern(FEATURE, TABLE, 0x2525, (fields.IPV4_SRC, IPV4, fields.ETH_SRC, fields.IN_PORT), MARK, Table.OUT)
    match = (IPV4, in_port(7), eth_src(MAC), ip_src(IP))
    same = flow(FEATURE, TABLE, 0x2525, match, MARK if own is None else own, Table.OUT, meter=meter)

    made = pattern.flow(*VALUES, actions=own, meter=meter)

    assert (same, same.text) == (made, made.text)


def test_what_is_the_same_in_all_its_flows_stands_as_it_is() -> None:
    within = ip_dst(ipaddress.IPv4Network("37.37.0.0/16"))
    pattern = Pattern(FEATURE, TABLE, 1, (IPV4, within, fields.IPV4_SRC))

    assert flow(FEATURE, TABLE, 1, (IPV4, within, ip_src(IP))) == pattern.flow(IP.packed)


def test_a_value_of_another_size_is_refused() -> None:
    pattern = Pattern(FEATURE, TABLE, 1, (ARP, fields.ARP_SPA))

    with pytest.raises(ValueError, match="do not fit their fields: 2525"):
        pattern.flow(b"%%")


def test_a_pattern_that_cannot_match_or_leads_back_is_refused() -> None:
    with pytest.raises(ValueError, match="nw_src needs eth_type"):
        Pattern(FEATURE, TABLE, 1, (ARP, fields.IPV4_SRC))
    with pytest.raises(ValueError, match="packets go forward only"):
        Pattern(FEATURE, TABLE, 1, (ARP, arp_spa(IP)), goto=Table.CLASSIFY)
