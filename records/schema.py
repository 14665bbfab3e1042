"""The database's schema, derived from the model; `python -m records.schema` writes it to moorage.ovsschema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from records.codec import Column, columns
from records.model import RECORDS, Record

FILE = Path(__file__).with_name("moorage.ovsschema")
NAME = "Moorage"
# The first number grows when an old program would misread the records, the second with each table or column.
VERSION = "1.4.0"


def schema() -> dict[str, Any]:
    """Return the schema as RFC 7047 section 3.2 writes it."""
    return {"name": NAME, "version": VERSION, "tables": {kind.TABLE: _table(kind) for kind in RECORDS}}


def lacking(served: str) -> str | None:
    """Return why the daemons cannot work with a schema (JSON) that a database has, or None if they can."""
    found = json.loads(served)
    tables: Mapping[str, Any] = found["tables"]
    for kind in RECORDS:
        for missing in _missing(kind, tables):
            return f"database schema {found['version']} lacks {missing}: upgrade it by restarting moorage-db"
    return None


def _missing(kind: type[Record], tables: Mapping[str, Any]) -> list[str]:
    if kind.TABLE not in tables:
        return [kind.TABLE]
    return [f"{kind.TABLE}.{name}" for name in columns(kind) if name not in tables[kind.TABLE]["columns"]]


def _table(kind: type[Record]) -> dict[str, Any]:
    return {
        "columns": {name: {"type": _type(column)} for name, column in columns(kind).items()},
        "indexes": [list(names) for names in kind.UNIQUE],
        "isRoot": True,
    }


def _type(column: Column) -> Any:
    if column.mapping:
        return {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
    key: dict[str, Any] = {"type": column.key}
    if column.enum:
        key["enum"] = ["set", sorted(column.enum)]
    if column.refers is not None:
        key |= {"refTable": column.refers, "refType": "strong"}
    if column.bounds is not None:
        key |= {"minInteger": column.bounds[0], "maxInteger": column.bounds[1]}
    short = column.key if len(key) == 1 else key
    return {"key": short, "min": 0, "max": 1} if column.optional else short if isinstance(short, str) else {"key": key}


if __name__ == "__main__":
    FILE.write_text(json.dumps(schema(), indent=2) + "\n")
