"""What flows are made from."""

import dataclasses

import pytest

from controller import view
from controller.view import Attachment, Domain, Segment
from records.model import Gateway, Kind
from tests import host
from tests.host import APP, GREEN, HOST, KNOWN, OTHER, RED, W1, WEB, changed


def test_an_endpoint_is_seen_with_its_segment_and_zone() -> None:
    seen = view.attachment(host.records(), HOST, W1)

    assert seen == Attachment(11, "02:42:0a:01:00:0b", W1.ipv4.ip, W1.ipv6.ip, 0x2000001, 11)  # type: ignore[union-attr]


def test_an_endpoint_of_another_host_is_not_seen() -> None:
    assert view.attachment(host.records(), OTHER, W1) is None


@pytest.mark.parametrize("missing", [WEB, KNOWN[WEB.id], GREEN])
def test_an_endpoint_whose_network_has_not_arrived_is_not_seen(missing: object) -> None:
    records = host.records([record for record in host.ALL if record is not missing])

    assert view.attachment(records, HOST, W1) is None


def test_segments_of_different_kinds_are_told_apart_when_their_numbers_are_equal() -> None:
    keys = {view.segment_key(dataclasses.replace(WEB, kind=kind)) for kind in Kind}

    assert len(keys) == len(Kind)
    assert {key & 0xFFFFFF for key in keys} == {WEB.segment}


def test_a_network_is_seen_with_its_subnets_and_gateways() -> None:
    seen = view.segment(host.records(), HOST, WEB)

    assert seen is not None
    assert seen.domains == (Domain(11, 200),)
    assert [(str(prefix), str(gateway)) for prefix, gateway in seen.subnets] == [
        ("10.1.0.0/16", "10.1.0.1"),
        ("fd00:1::/64", "fd00:1::1"),
    ]


@pytest.mark.parametrize("without", [{"gateway": Gateway.NONE}, {"internal": True}])
def test_a_network_without_gateway_has_none_though_its_subnet_keeps_the_address(without: dict[str, object]) -> None:
    records = changed(host.records(), APP, **without)

    seen = view.segment(records, HOST, records.networks.rows[APP.id])

    assert isinstance(seen, Segment)
    assert [gateway for _, gateway in seen.subnets] == [None]


def test_a_network_that_this_docker_does_not_know_is_not_seen() -> None:
    assert view.segment(host.records(), OTHER, WEB) is None


def test_a_domain_has_a_gateway_port_as_long_as_one_of_its_networks_has_a_gateway() -> None:
    one = changed(host.records(), APP, internal=True)
    none = changed(one, WEB, internal=True)

    assert view.domain(one, HOST, GREEN) == Domain(11, 200)
    assert view.domain(none, HOST, GREEN) is None


def test_a_domain_of_another_host_is_not_seen() -> None:
    assert view.domain(host.records(), OTHER, RED) is None
