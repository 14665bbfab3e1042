from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records import codec
from records.model import RECORDS, Record
from tests.strategies import records

KINDS = pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.TABLE)


@KINDS
@given(data=st.data())
def test_a_record_comes_back_from_the_wire_as_it_was(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(records(kind))

    wire = json.loads(json.dumps(codec.encode(record)))

    assert record == codec.decode(kind, record.id, wire)


@KINDS
@given(data=st.data())
def test_columns_at_their_defaults_need_not_be_on_the_wire(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(records(kind))

    wire = {name: value for name, value in codec.encode(record).items() if value != codec.columns(kind)[name].default}

    assert record == codec.decode(kind, record.id, wire)


@KINDS
@given(data=st.data())
def test_a_difference_as_the_server_makes_it_leads_from_the_old_row_to_the_new(
    kind: type[Record], data: st.DataObject
) -> None:
    old, new = (codec.encode(data.draw(records(kind))) for _ in range(2))

    after = codec.changed(
        kind, old, {name: _difference(old[name], new[name]) for name in old if old[name] != new[name]}
    )

    assert new == after


def _difference(old: codec.Wire, new: codec.Wire) -> codec.Wire:
    """As ovsdb_datum_diff of Open vSwitch: maps give the pairs added, changed (new value) and deleted (old value)."""
    if not (isinstance(new, list) and new[0] == "map"):
        return new
    before, after = dict(old[1]), dict(new[1])
    pairs = [[key, after.get(key, value)] for key, value in before.items() if after.get(key) != value]
    return ["map", pairs + [[key, value] for key, value in after.items() if key not in before]]
