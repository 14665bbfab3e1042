from __future__ import annotations

import uuid
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from records.model import RECORDS, Record
from records.snapshot import Records, references, sought, unique_key
from tests.strategies import records

IDS = st.sampled_from([uuid.UUID(int=n) for n in range(1, 4)])  # few, so that records are replaced and go
Change = tuple[Record | None, Record | None]


@st.composite
def histories(draw: st.DrawFn) -> Sequence[Change]:
    """Return changes in an order that a store could see them in, over few records."""
    there: dict[tuple[str, uuid.UUID], Record] = {}
    changes: list[Change] = []
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(RECORDS))
        key = (kind.TABLE, draw(IDS))
        old, new = there.pop(key, None), draw(st.none() | records(kind, st.just(key[1])))
        if new is not None and not any(_same(new, other) for other in there.values()):
            there[key] = new
        elif old is None:
            continue
        changes.append((old, there.get(key)))
    return changes


def _same(one: Record, other: Record) -> bool:
    """Whether the database would refuse them together."""
    return type(one) is type(other) and any(
        unique_key(one, columns) == unique_key(other, columns) for columns in one.UNIQUE
    )


@given(histories())
def test_records_after_changes_are_as_if_made_at_once(changes: Sequence[Change]) -> None:
    one_by_one = Records()
    for change in changes:
        one_by_one = one_by_one.replaced([change])

    rows = [record for table in one_by_one.tables.values() for record in table]
    at_once = Records().replaced((None, row) for row in rows)

    assert Records().replaced(changes) == one_by_one
    for name, table in at_once.tables.items():
        found = one_by_one.tables[name]
        assert table.rows == found.rows
        assert table.backward == found.backward
        assert {c: i for c, i in table.unique.items() if i} == {c: i for c, i in found.unique.items() if i}


@given(histories())
def test_every_record_is_found_by_its_id_by_its_unique_columns_and_by_what_it_refers_to_or_is_sought_by(
    changes: Sequence[Change],
) -> None:
    snapshot = Records().replaced(changes)

    for table in snapshot.tables.values():
        for record in table.rows.values():
            assert record == table.get(record.id)
            for columns in record.UNIQUE:
                assert record == table.one(**dict(zip(columns, unique_key(record, columns), strict=True)))
            for column, value in [*((column, to) for column, _, to in references(record)), *sought(record)]:
                assert record in list(table.of(**{column: value}))


@given(histories(), histories())
def test_a_snapshot_does_not_change_when_the_records_do(before: Sequence[Change], after: Sequence[Change]) -> None:
    snapshot = Records().replaced(before)
    rows = {name: dict(table.rows) for name, table in snapshot.tables.items()}

    snapshot.replaced(after)

    assert rows == {name: dict(table.rows) for name, table in snapshot.tables.items()}
