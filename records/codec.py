"""Records as OVSDB column values (RFC 7047 section 5.1) and back; pure, derived from the model's annotations alone.

| annotation                           | column                                        |
| ------------------------------------ | --------------------------------------------- |
| `str`, `int`, `bool`, a `StrEnum`    | string, integer, boolean, string with an enum |
| an id                                | uuid, referring to a row if made by `ref`     |
| an address, interface, network of IP | string, as Python writes it                   |
| `X` or `None`                        | optional X                                    |
| `Mapping[str, str]`                  | map of strings                                |
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import typing
import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any

from records.errors import Invalid
from records.model import RECORDS, Record

Wire = Any  # what JSON has for a column's value
Row = Mapping[str, Wire]  # column -> value; a column that is not there has its type's default

EMPTY: Wire = ["set", []]
INTEGERS = (-(2**63), 2**63 - 1)
ADDRESSES: Mapping[frozenset[type], Callable[[str], Any]] = {
    frozenset({ipaddress.IPv4Address, ipaddress.IPv6Address}): ipaddress.ip_address,
    frozenset({ipaddress.IPv4Interface, ipaddress.IPv6Interface}): ipaddress.ip_interface,
    frozenset({ipaddress.IPv4Network, ipaddress.IPv6Network}): ipaddress.ip_network,
}
DEFAULTS: Mapping[str, Wire] = {
    "string": "",
    "integer": 0,
    "boolean": False,
    "uuid": ["uuid", "00000000-0000-0000-0000-000000000000"],
}


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column: its OVSDB type, and how its values are written and read."""

    table: str
    name: str
    key: str  # atomic type: string, integer, boolean or uuid
    optional: bool = False
    mapping: bool = False  # of strings to strings
    refers: str | None = None  # to rows of this table
    enum: tuple[str, ...] = ()
    bounds: tuple[int, int] | None = None
    types: tuple[type, ...] = ()  # that a value may have
    parse: Callable[[str], Any] | None = None  # reads text that stands for something else

    def encode(self, value: Any) -> Wire:
        """Write a value.  Raises Invalid where the column cannot hold it."""
        if self.mapping:
            return ["map", sorted([self._text(key), self._text(item)] for key, item in value.items())]
        if value is None and self.optional:
            return EMPTY
        if not isinstance(value, self.types) or (isinstance(value, bool) and self.key != "boolean"):
            raise self._invalid(value, "not of its type")
        if self.key == "uuid":
            return ["uuid", str(value)]
        if self.key == "string":
            return self._text(str(value))
        if self.key == "integer":
            low, high = self.bounds or INTEGERS
            if not isinstance(value, int) or not low <= value <= high:
                raise self._invalid(value, f"not within {low}..{high}")
        return value

    def decode(self, wire: Wire) -> Any:
        """Read a value.  Raises ValueError where it is not one that the model knows."""
        if self.mapping:
            return dict(wire[1])
        if self.optional and wire == EMPTY:
            return None
        if self.key == "uuid":
            return _uuid(wire[1])
        return wire if self.parse is None else self.parse(wire)

    def changed(self, old: Wire, difference: Wire) -> Wire:
        """Return the value after an update's `difference` (ovsdb-server(7), update2): maps toggle pairs."""
        if not self.mapping:
            return difference
        pairs = dict(old[1])
        for key, value in difference[1]:
            if pairs.get(key) == value:
                del pairs[key]
            else:
                pairs[key] = value
        return ["map", sorted([key, value] for key, value in pairs.items())]

    @property
    def default(self) -> Wire:
        """What a column holds when nothing was said."""
        return ["map", []] if self.mapping else EMPTY if self.optional else DEFAULTS[self.key]

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self._invalid(value, "not text")
        if "\0" in value or (not value.isprintable() and any("\ud800" <= c <= "\udfff" for c in value)):
            raise self._invalid(value, "text with a NUL or half a character: the database keeps neither")
        return value

    def _invalid(self, value: Any, why: str) -> Invalid:
        return Invalid(f"{self.table}.{self.name}: {value!r} is {why}")


@functools.lru_cache(maxsize=16384)  # the same hosts, networks and subnets are referred to from everywhere
def _uuid(text: str) -> uuid.UUID:
    return uuid.UUID(text)


def columns(kind: type[Record]) -> Mapping[str, Column]:
    """Return the columns of a class's table by name."""
    return _COLUMNS[kind.TABLE]


def _columns(kind: type[Record]) -> dict[str, Column]:
    hints = typing.get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.name != "id"]
    return {field.name: _column(kind.TABLE, field, hints[field.name]) for field in fields}


def _column(table: str, field: dataclasses.Field[Any], hint: Any) -> Column:
    if typing.get_origin(hint) is Mapping:
        return Column(table, field.name, "string", mapping=True)
    union = set(typing.get_args(hint)) if typing.get_origin(hint) in {typing.Union, UnionType} else {hint}
    types = tuple(getattr(one, "__supertype__", one) for one in union - {NoneType})  # NewType's
    column = functools.partial(Column, table, field.name, optional=NoneType in union, types=types)
    if frozenset(types) in ADDRESSES:
        return column("string", parse=ADDRESSES[frozenset(types)])
    (kind,) = types
    if kind is uuid.UUID:
        return column("uuid", refers=field.metadata.get("ref"))
    if issubclass(kind, StrEnum):
        return column("string", enum=tuple(kind), parse=kind)
    return column({str: "string", int: "integer", bool: "boolean"}[kind], bounds=field.metadata.get("bounds"))


KINDS: Mapping[str, type[Record]] = {kind.TABLE: kind for kind in RECORDS}
_COLUMNS: Mapping[str, Mapping[str, Column]] = {kind.TABLE: _columns(kind) for kind in RECORDS}


def encode(record: Record) -> dict[str, Wire]:
    """Write every column of a record.  Raises Invalid where one cannot hold its value."""
    return {name: column.encode(getattr(record, name)) for name, column in columns(type(record)).items()}


def decode(kind: type[Record], key: uuid.UUID, row: Row) -> Record:
    """Read the record of a row.  Raises ValueError, which names the column, where the model does not know a value."""
    values: dict[str, Any] = {}
    for name, column in columns(kind).items():
        wire = row.get(name)
        if wire is None:
            if column.optional:
                values[name] = None
                continue
            wire = column.default
        try:
            values[name] = column.decode(wire)
        except (ValueError, TypeError, LookupError) as error:
            raise ValueError(f"{kind.TABLE} {key}: column {name} holds {wire!r}: {error}") from error
    return kind(id=key, **values)  # type: ignore[arg-type]


def changed(kind: type[Record], row: Row, difference: Row) -> dict[str, Wire]:
    """Return a row after an update's difference."""
    known = columns(kind)
    after = {
        name: known[name].changed(row.get(name, known[name].default), wire)
        for name, wire in difference.items()
        if name in known
    }
    return {**row, **after}
