"""Hypothesis strategies for records, from the model's annotations alone."""

from __future__ import annotations

import functools
import ipaddress
import uuid
from typing import Any

from hypothesis import strategies as st

from records import codec
from records.model import Record

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
INTERFACES = st.one_of(
    st.builds(lambda ip, length: ipaddress.ip_interface((ip, length)), st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds(lambda ip, length: ipaddress.ip_interface((ip, length)), st.ip_addresses(v=6), st.integers(0, 128)),
)
IPS: dict[Any, st.SearchStrategy[Any]] = {
    ipaddress.ip_address: st.ip_addresses(),
    ipaddress.ip_interface: INTERFACES,
    ipaddress.ip_network: INTERFACES.map(lambda interface: interface.network),
}


def values(column: codec.Column) -> st.SearchStrategy[Any]:
    """Return what a column may hold."""
    strategy: st.SearchStrategy[Any]
    if column.mapping:
        return st.dictionaries(TEXT, TEXT, max_size=4)
    if column.enum:
        strategy = st.sampled_from([column.decode(text) for text in column.enum])
    elif column.parse is not None:
        strategy = IPS[column.parse]
    elif column.key == "uuid":
        strategy = st.uuids()
    elif column.key == "integer":
        strategy = st.integers(*(column.bounds or codec.INTEGERS))
    elif column.key == "boolean":
        strategy = st.booleans()
    else:
        strategy = TEXT
    return st.none() | strategy if column.optional else strategy


@functools.cache
def _any_values(table: str) -> dict[str, st.SearchStrategy[Any]]:
    return {name: values(column) for name, column in codec.columns(codec.KINDS[table]).items()}


def records(kind: type[Record], ids: st.SearchStrategy[uuid.UUID] | None = None) -> st.SearchStrategy[Record]:
    """Return any record of a class, with an id of `ids` if given."""
    return st.builds(kind, id=st.uuids() if ids is None else ids, **_any_values(kind.TABLE))
