from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from records.errors import Conflict, Duplicate, Invalid, RecordsError, Referenced, Unavailable
from records.operations import error, operations
from records.writes import Delete, Insert, Keep, Update, Write
from tests.examples import world

W = world()
HOST, ADDRESS = W.host, W.address("10.1.0.2")
BEATEN = dataclasses.replace(HOST, heartbeat=1)
WHERE = {"table": "Host", "where": [["_uuid", "==", ["uuid", str(HOST.id)]]]}


def wires(*writes: Write) -> list[Any]:
    return [operation.wire for operation in operations(writes)]


def test_an_insert_gives_the_row_its_id_and_leaves_defaults_out() -> None:
    assert [
        {
            "op": "insert",
            "table": "Tenant",
            "uuid": str(W.tenant.id),
            "row": {"name": "tenant of web"},
        }
    ] == wires(Insert(W.tenant))


def test_an_update_verifies_and_sends_only_what_differs() -> None:
    assert [
        {"op": "wait", "timeout": 0, **WHERE, "columns": ["heartbeat"], "until": "==", "rows": [{"heartbeat": 0}]},
        {"op": "update", **WHERE, "row": {"heartbeat": 1}},
    ] == wires(Update(HOST, BEATEN))


def test_an_update_without_a_difference_is_no_operation() -> None:
    assert [] == wires(Update(HOST, HOST))


def test_an_update_is_of_one_record() -> None:
    with pytest.raises(ValueError, match="are not states of one record"):
        operations([Update(HOST, W.tenant)])


def test_a_deletion_verifies_that_the_row_is_there() -> None:
    row = ["uuid", str(HOST.id)]
    assert [
        {"op": "wait", "timeout": 0, **WHERE, "columns": ["_uuid"], "until": "==", "rows": [{"_uuid": row}]},
        {"op": "delete", **WHERE},
    ] == wires(Delete(HOST))


def test_what_is_kept_is_verified_in_every_column() -> None:
    (wait,) = wires(Keep(HOST))

    assert {"name", "vtep", "heartbeat", "versions", "labels"} == set(wait["columns"])


def test_all_is_verified_before_anything_is_changed() -> None:
    ops = [wire["op"] for wire in wires(Insert(W.tenant), Delete(HOST), Keep(W.space), Update(HOST, BEATEN))]

    assert ["wait", "wait", "wait", "insert", "delete", "update"] == ops


def test_replies_without_an_error_are_success() -> None:
    assert error(operations([Delete(HOST)]), [{}, {"count": 1}]) is None


SHARED = (
    'Transaction causes multiple rows in "Address" table to have identical values (x and "10.1.0.2") for index on '
    'columns "subnet" and "ip".  First row, with UUID {}, was inserted by this transaction.  Second row, with UUID {}, '
    "existed in the database before this transaction and was not modified by the transaction."
)
IN_USE = "cannot delete Host row {} because of {} remaining reference(s)"
OTHER = "00000000-0000-0000-0000-000000000001"


def _commit(code: str, details: str) -> list[dict[str, Any] | None]:
    return [{}, {"error": code, "details": details}]


@pytest.mark.parametrize(
    ("writes", "replies", "kind", "text"),
    [
        ([Update(HOST, BEATEN)], [{"error": "timed out"}, None], Conflict, "somebody else changed Host a (heartbeat)"),
        ([Delete(HOST)], [{"error": "timed out"}, None], Conflict, "Host a is gone"),
        ([Insert(HOST)], [{"error": "duplicate uuid"}], Duplicate, f"Host a: a record of id {HOST.id} exists already"),
        (
            [Insert(ADDRESS)],
            _commit("constraint violation", SHARED.format(ADDRESS.id, OTHER)),
            Duplicate,
            f"another Address has subnet {W.subnet.id} and ip 10.1.0.2",
        ),
        (
            [Insert(ADDRESS)],
            _commit("constraint violation", SHARED.format(OTHER, ADDRESS.id)),
            Duplicate,
            f"another Address has subnet {W.subnet.id} and ip 10.1.0.2",
        ),
        ([Insert(ADDRESS)], _commit("constraint violation", "said otherwise"), Duplicate, "said otherwise"),
        ([Insert(ADDRESS)], [{"error": "constraint violation", "details": "no"}], Invalid, "Address: no"),
        (
            [Insert(ADDRESS)],
            _commit("referential integrity violation", IN_USE.format(OTHER, 1)),
            Referenced,
            IN_USE.format(OTHER, 1),
        ),
        (
            [Insert(ADDRESS)],
            _commit(
                "referential integrity violation",
                f"Table Address column host row {ADDRESS.id} references nonexistent row {OTHER} in table Host.",
            ),
            Referenced,
            f"Address 10.1.0.2 refers to a Host that is gone (host {OTHER})",
        ),
        (
            [Insert(HOST)],
            _commit("I/O error", "no space left"),
            Unavailable,
            "records unavailable: the database could not commit: I/O error no space left",
        ),
    ],
)
def test_a_refusal_is_named_for_what_is_wrong(
    writes: list[Write], replies: list[dict[str, Any] | None], kind: type[RecordsError], text: str
) -> None:
    refusal = error(operations(writes), replies)

    assert type(refusal) is kind
    assert text == str(refusal)


def test_a_record_that_is_referred_to_is_named_with_the_number_of_those() -> None:
    details = IN_USE.format(HOST.id, 3)

    refusal = error(
        operations([Delete(HOST)]), [{}, {"count": 1}, {"error": "referential integrity violation", "details": details}]
    )

    assert "Host a is still referred to by 3 other records" == str(refusal)
