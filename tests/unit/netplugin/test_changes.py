import dataclasses
from collections.abc import Sequence

import pytest

from netplugin.changes import concerned
from records.model import Address, Block, Endpoint, Record, Space, Tenant
from records.store import Change
from tests.examples import everything, world

W = world()
E = W.endpoint(2)
RECORDS: Sequence[Record] = everything(W)


def test_an_endpoint_that_comes_or_goes_concerns_its_link_and_port() -> None:
    keys = {("links", E.docker_id), ("ports", E.docker_id)}

    assert keys == concerned([Change(None, E)]) == concerned([Change(E, None)])
    assert keys == concerned([Change(E, dataclasses.replace(E, ofport=9))])
    assert keys == concerned([Change(E, dataclasses.replace(E, mac="02:00:00:00:00:01"))])


@pytest.mark.parametrize("noted", [{"up": True}, {"problem": "no port"}, {"sandbox": "/x"}])
def test_what_the_controller_and_docker_note_of_an_endpoint_concerns_nothing(noted: dict[str, object]) -> None:
    assert set() == concerned([Change(E, dataclasses.replace(E, **noted))])  # type: ignore[arg-type]


def test_this_hosts_coming_concerns_everything_and_its_heartbeat_nothing() -> None:
    assert concerned([Change(None, W.host)]) is None
    assert concerned([Change(W.host, None)]) is None
    assert set() == concerned([Change(W.host, dataclasses.replace(W.host, heartbeat=1))])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.TABLE)
def test_every_class_of_record_has_been_thought_of(record: Record) -> None:
    """What no link, port or rule is made of concerns nothing; what we do not know concerns everything."""
    nothing = isinstance(record, Address | Block | Space | Tenant)
    one = isinstance(record, Endpoint)

    found = concerned([Change(None, record)])

    expected: set[str] | None = set() if nothing else {"links", "ports"} if one else None
    assert expected == (None if found is None else {layer for layer, _ in found})


def test_several_changes_concern_what_each_of_them_does() -> None:
    other = dataclasses.replace(W.endpoint(3), docker_id="ff" * 32)
    keys = concerned([Change(None, E), Change(None, W.space), Change(other, None)])

    assert {(layer, e.docker_id) for layer in ("links", "ports") for e in (E, other)} == keys
    assert concerned([Change(None, E), Change(None, W.network)]) is None
    assert set() == concerned([])
