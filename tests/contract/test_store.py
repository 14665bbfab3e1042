"""What every store makes of writes; the in-memory twin and the database on a disk answer to the same sentences."""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid

import pytest

from records.errors import Conflict, Duplicate, Invalid, Referenced
from records.model import EndpointId, NetworkId, Use
from records.store import Store
from records.writes import Delete, Insert, Keep, Update, Write
from tests.examples import World, everything, world


def test_a_commit_returns_a_snapshot_that_shows_it(store: Store) -> None:
    w = world()
    records = everything(w)

    snapshot = store.commit([Insert(record) for record in records])

    assert records == [snapshot.tables[record.TABLE].get(record.id) for record in records]
    assert records == [store.snapshot().tables[record.TABLE].get(record.id) for record in records]


def test_an_empty_commit_changes_nothing(store: Store) -> None:
    assert len(store.commit([]).hosts) == 0


def test_a_snapshot_stays_as_it_was(store: Store, w: World) -> None:
    before = store.snapshot()

    store.commit([Insert(w.endpoint(2))])

    assert 0 == len(before.endpoints)
    assert 1 == len(store.snapshot().endpoints)


def test_an_update_changes_only_the_columns_that_differ(store: Store, w: World) -> None:
    beaten = dataclasses.replace(w.host, heartbeat=1)
    labelled = dataclasses.replace(w.host, labels={"rack": "2", "row": "x"}, vtep=None)

    store.commit([Update(w.host, beaten)])
    store.commit([Update(w.host, labelled)])  # from the state before: other columns

    assert dataclasses.replace(labelled, heartbeat=1) == store.snapshot().hosts.get(w.host.id)


@pytest.mark.parametrize(
    "labels", [{}, {"rack": "1"}, {"rack": "2"}, {"row": "1"}, {"rack": "1", "row": "1"}, {"": ""}]
)
def test_a_map_becomes_what_it_was_set_to(store: Store, w: World, labels: dict[str, str]) -> None:
    store.commit([Update(w.host, dataclasses.replace(w.host, labels=labels))])

    found = store.snapshot().hosts.get(w.host.id)
    assert found is not None
    assert labels == found.labels


def test_an_update_of_a_column_that_somebody_changed_is_a_conflict(store: Store, w: World) -> None:
    store.commit([Update(w.host, dataclasses.replace(w.host, heartbeat=1))])

    with pytest.raises(Conflict, match=r"somebody else changed Host a \(heartbeat\)"):
        store.commit([Update(w.host, dataclasses.replace(w.host, heartbeat=2))])


def test_an_update_of_a_record_that_is_gone_is_a_conflict(store: Store, w: World) -> None:
    store.commit([Delete(w.block)])

    with pytest.raises(Conflict):
        store.commit([Update(w.block, dataclasses.replace(w.block, last=ipaddress.ip_address("10.1.0.1")))])


def test_an_update_without_a_difference_asks_for_nothing(store: Store, w: World) -> None:
    store.commit([Delete(w.block)])

    store.commit([Update(w.block, w.block)])


def test_deleting_what_is_gone_is_a_conflict(store: Store, w: World) -> None:
    store.commit([Delete(w.block)])

    with pytest.raises(Conflict, match=r"Block 10\.1\.0\.0/26 is gone"):
        store.commit([Delete(w.block)])


def test_deleting_what_has_changed_meanwhile_is_no_conflict(store: Store, w: World) -> None:
    store.commit([Update(w.block, dataclasses.replace(w.block, last=ipaddress.ip_address("10.1.0.1")))])

    assert 0 == len(store.commit([Delete(w.block)]).blocks)


def test_a_commit_whose_basis_still_holds_goes_through(store: Store, w: World) -> None:
    assert 1 == len(store.commit([Keep(w.network), Insert(w.endpoint(2))]).endpoints)


def test_a_commit_whose_basis_has_changed_in_any_column_is_a_conflict(store: Store, w: World) -> None:
    store.commit([Update(w.network, dataclasses.replace(w.network, labels={"a": "b"}))])

    with pytest.raises(Conflict):
        store.commit([Keep(w.network), Insert(w.endpoint(2))])

    assert 0 == len(store.snapshot().endpoints)


def test_a_commit_whose_basis_is_gone_is_a_conflict(store: Store, w: World) -> None:
    store.commit([Delete(w.block)])

    with pytest.raises(Conflict):
        store.commit([Keep(w.block)])


def test_no_two_records_share_a_unique_value(store: Store, w: World) -> None:
    store.commit([Insert(w.address("10.1.0.2"))])

    with pytest.raises(Duplicate, match=f"another Address has subnet {w.subnet.id} and ip 10.1.0.2"):
        store.commit([Insert(w.address("10.1.0.2", Use.AUXILIARY))])


def test_no_two_records_of_one_commit_share_a_unique_value(store: Store, w: World) -> None:
    with pytest.raises(Duplicate):
        store.commit([Insert(w.address("10.1.0.2")), Insert(w.address("10.1.0.2"))])

    assert 0 == len(store.snapshot().addresses)


def test_no_update_takes_a_unique_value_of_another_record(store: Store, w: World) -> None:
    one, other = w.address("10.1.0.2"), w.address("10.1.0.3")
    store.commit([Insert(one), Insert(other)])

    with pytest.raises(Duplicate):
        store.commit([Update(other, dataclasses.replace(other, ip=one.ip))])


def test_two_records_may_swap_unique_values_in_one_commit(store: Store, w: World) -> None:
    one, other = w.address("10.1.0.2"), w.address("10.1.0.3")
    store.commit([Insert(one), Insert(other)])

    snapshot = store.commit(
        [Update(one, dataclasses.replace(one, ip=other.ip)), Update(other, dataclasses.replace(other, ip=one.ip))]
    )

    found = snapshot.addresses.one(subnet=w.subnet.id, ip=one.ip)
    assert found is not None
    assert other.id == found.id


def test_a_unique_value_is_free_again_in_the_commit_that_deletes_its_holder(store: Store, w: World) -> None:
    one, other = w.address("10.1.0.2"), w.address("10.1.0.2")
    store.commit([Insert(one)])

    snapshot = store.commit([Delete(one), Insert(other)])

    assert [other] == list(snapshot.addresses)


def test_an_id_that_is_taken_is_a_duplicate(store: Store, w: World) -> None:
    with pytest.raises(Duplicate, match="exists already"):
        store.commit([Insert(dataclasses.replace(w.tenant, name="other"))])


def test_an_id_cannot_go_and_come_in_one_commit(store: Store, w: World) -> None:
    with pytest.raises(Duplicate):
        store.commit([Delete(w.block), Insert(w.block)])


def test_what_is_referred_to_cannot_go(store: Store, w: World) -> None:
    with pytest.raises(Referenced, match="Network web is still referred to by 2 other records"):
        store.commit([Delete(w.network)])

    assert w.network == store.snapshot().networks.get(w.network.id)


def test_what_is_referred_to_may_go_with_all_that_refer_to_it(store: Store, w: World) -> None:
    gone: list[Write] = [Delete(insert.new) for insert in w.inserts]

    snapshot = store.commit(gone)

    assert all(len(table) == 0 for table in snapshot.tables.values())


def test_a_reference_must_lead_somewhere(store: Store, w: World) -> None:
    lost = dataclasses.replace(w.endpoint(2), id=EndpointId(uuid.uuid4()), network=NetworkId(uuid.uuid4()))

    with pytest.raises(Referenced, match="refers to a Network that is gone"):
        store.commit([Insert(lost)])


@pytest.mark.parametrize(
    "change",
    [{"segment": 0}, {"segment": 2**24}, {"name": "a\0b"}, {"name": "\ud800"}, {"kind": "tube"}, {"mtu": None}],
)
def test_a_value_that_its_column_cannot_hold_is_refused(store: Store, w: World, change: dict[str, object]) -> None:
    with pytest.raises(Invalid, match=f"Network.{next(iter(change))}: "):
        store.commit([Update(w.network, dataclasses.replace(w.network, **change))])  # type: ignore[arg-type]

    store.commit([Insert(w.endpoint(2))])  # the store lives


def test_a_refused_commit_leaves_nothing_behind(store: Store, w: World) -> None:
    store.commit([Insert(w.address("10.1.0.2"))])
    writes: list[Write] = [Insert(w.endpoint(2)), Delete(w.block), Insert(w.address("10.1.0.2"))]

    with pytest.raises(Duplicate):
        store.commit(writes)

    assert 0 == len(store.snapshot().endpoints)
    assert 1 == len(store.snapshot().blocks)
