from __future__ import annotations

import dataclasses
import uuid
from typing import Any

from records import codec
from records.model import Record
from records.replica import Replica
from records.store import Change
from tests.examples import everything, world

W = world()


def initial(*records: Record) -> dict[str, Any]:
    updates: dict[str, Any] = {}
    for record in records:
        updates.setdefault(record.TABLE, {})[str(record.id)] = {"initial": codec.encode(record)}
    return updates


def filled(*records: Record) -> Replica:
    replica = Replica()
    replica.replace(initial(*records))
    return replica


def test_a_whole_database_is_read_at_once() -> None:
    records = everything(W)
    replica = Replica()

    changes = replica.replace(initial(*records))

    assert [Change(None, record) for record in records] == changes
    assert all(record == replica.records.tables[record.TABLE].get(record.id) for record in records)


def test_a_database_read_again_changes_only_what_differs() -> None:
    replica = filled(W.host, W.tenant, W.space)
    moved = dataclasses.replace(W.space, revision=1)

    changes = replica.replace(initial(W.host, moved, W.vrf))

    assert {(W.space.id, moved.id), (None, W.vrf.id), (W.tenant.id, None)} == {
        (change.old and change.old.id, change.new and change.new.id) for change in changes
    }
    assert moved == replica.records.spaces.get(W.space.id)


def test_changes_name_the_record_before_and_after() -> None:
    replica = filled(W.host)

    changes = replica.apply(
        {"Host": {str(W.host.id): {"modify": {"heartbeat": 3, "labels": ["map", [["rack", "1"]]]}}}}
    )

    assert [Change(W.host, dataclasses.replace(W.host, heartbeat=3, labels={}))] == changes


def test_a_deleted_row_is_gone() -> None:
    replica = filled(W.host)

    assert [Change(W.host, None)] == replica.apply({"Host": {str(W.host.id): {"delete": None}}})
    assert 0 == len(replica.records.hosts)


def test_tables_and_columns_that_the_model_does_not_know_are_left_out() -> None:
    replica = filled(W.host)

    changes = replica.apply(
        {"Volume": {str(uuid.uuid4()): {"insert": {}}}, "Host": {str(W.host.id): {"modify": {"colour": "red"}}}}
    )

    assert [] == changes


def test_a_row_that_cannot_be_read_is_not_there_until_it_can() -> None:
    replica = filled(W.network)
    key = str(W.network.id)

    assert [Change(W.network, None)] == replica.apply({"Network": {key: {"modify": {"kind": "tube"}}}})
    assert [] == replica.apply({"Network": {key: {"modify": {"mtu": 9000}}}})
    assert [Change(None, dataclasses.replace(W.network, mtu=9000))] == replica.apply(
        {"Network": {key: {"modify": {"kind": "bridge"}}}}
    )


def test_a_row_that_could_never_be_read_may_go() -> None:
    replica = Replica()

    replica.apply({"Network": {str(W.network.id): {"insert": {"kind": "tube"}}}})

    assert [] == replica.apply({"Network": {str(W.network.id): {"delete": None}}})
    assert {} == replica._unreadable
