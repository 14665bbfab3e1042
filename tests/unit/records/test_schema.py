from __future__ import annotations

import dataclasses
import json

import pytest

from records.model import RECORDS, Record
from records.schema import FILE, lacking, schema


def test_the_schema_in_the_repository_is_the_models() -> None:
    assert schema() == json.loads(FILE.read_text()), "write it anew: python -m records.schema"


def test_every_class_has_its_table_and_every_field_its_column() -> None:
    tables = schema()["tables"]

    assert {kind.TABLE for kind in RECORDS} == set(tables)
    assert all(_fields(kind) - {"id"} == set(tables[kind.TABLE]["columns"]) for kind in RECORDS)


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("Host", "name", "string"),
        ("Host", "vtep", {"key": "string", "min": 0, "max": 1}),
        ("Host", "labels", {"key": "string", "value": "string", "min": 0, "max": "unlimited"}),
        ("Network", "internal", "boolean"),
        ("Network", "kind", {"key": {"type": "string", "enum": ["set", ["bridge", "vlan", "vxlan"]]}}),
        ("Network", "segment", {"key": {"type": "integer", "minInteger": 1, "maxInteger": 16777215}}),
        ("Network", "tenant", {"key": {"type": "uuid", "refTable": "Tenant", "refType": "strong"}}),
        (
            "Subnet",
            "network",
            {"key": {"type": "uuid", "refTable": "Network", "refType": "strong"}, "min": 0, "max": 1},
        ),
        ("Subnet", "cidr", "string"),
    ],
)
def test_a_column_has_the_type_of_its_field(table: str, column: str, expected: object) -> None:
    assert expected == schema()["tables"][table]["columns"][column]["type"]


def test_a_schema_lacks_nothing_that_has_all_and_more() -> None:
    newer = schema()
    newer["tables"]["Later"] = {"columns": {}}

    assert lacking(json.dumps(newer)) is None


def test_a_schema_without_a_table_of_ours_is_named_with_it() -> None:
    older = schema()
    del older["tables"]["Vrf"]

    assert lacking(json.dumps(older)) == ("database schema 1.4.0 lacks Vrf: upgrade it by restarting moorage-db")


def _fields(kind: type[Record]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}
