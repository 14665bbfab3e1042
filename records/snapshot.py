"""All records at one revision: immutable, and indexed so that a look-up costs the same in any cluster size."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar, cast

from immutables import Map

from records.model import (
    RECORDS,
    Address,
    Backend,
    Block,
    DockerNetwork,
    Endpoint,
    Fence,
    Holder,
    Host,
    Lease,
    Network,
    Published,
    Record,
    Space,
    Subnet,
    Tenant,
    Uplink,
    Volume,
    Vrf,
)

R = TypeVar("R", bound=Record)
Index = Map[tuple[str, ...], Map[tuple[Any, ...], uuid.UUID]]
Backward = Map[tuple[str, Hashable], Map[uuid.UUID, None]]


_REFERENCES = {  # table -> (column, table that it refers to)
    kind.TABLE: [(field.name, field.metadata["ref"]) for field in dataclasses.fields(kind) if "ref" in field.metadata]
    for kind in RECORDS
}
_SOUGHT = {  # table -> columns that records are looked up by
    kind.TABLE: [f.name for f in dataclasses.fields(kind) if "ref" in f.metadata or f.metadata.get("sought")]
    for kind in RECORDS
}


def references(record: Record) -> Iterator[tuple[str, str, uuid.UUID]]:
    """Yield (column, table referred to, id) for every reference that `record` makes."""
    for column, table in _REFERENCES[record.TABLE]:
        if (to := getattr(record, column)) is not None:
            yield column, table, to


def sought(record: Record) -> Iterator[tuple[str, Hashable]]:
    """Yield (column, value) for all that `Table.of` finds `record` by."""
    for column in _SOUGHT[record.TABLE]:
        if (value := getattr(record, column)) is not None:
            yield column, value


def unique_key(record: Record, columns: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the values of a unique index's columns."""
    return tuple(getattr(record, column) for column in columns)


@dataclasses.dataclass(frozen=True, slots=True)
class Table(Generic[R]):
    """The records of one class.  Changing it gives another table and leaves this one as it was."""

    kind: type[R]
    rows: Map[uuid.UUID, R] = dataclasses.field(default_factory=Map)
    unique: Index = dataclasses.field(default_factory=Map)
    backward: Backward = dataclasses.field(default_factory=Map)

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, key: uuid.UUID | None) -> R | None:
        """Return the record of that id."""
        return None if key is None else self.rows.get(key)

    def one(self, **columns: Any) -> R | None:
        """Return the record that has these values in the columns of one of its unique indexes."""
        index = self.unique.get(tuple(columns), Map())
        return self.get(index.get(tuple(columns.values())))

    def of(self, **column: Hashable) -> Iterator[R]:
        """Yield the records with a value in a sought column, as all references are: `endpoints.of(network=n.id)`."""
        for key in self.backward.get(next(iter(column.items())), Map()):
            yield self.rows[key]

    def with_(self, record: R) -> Table[R]:
        """Return the table with `record` in the place of the one of its id."""
        base = self.without(record.id)
        unique, backward = base.unique.mutate(), base.backward.mutate()
        for columns in self.kind.UNIQUE:
            unique[columns] = base.unique.get(columns, Map()).set(unique_key(record, columns), record.id)
        for place in sought(record):
            backward[place] = base.backward.get(place, Map()).set(record.id, None)
        return Table(self.kind, base.rows.set(record.id, record), unique.finish(), backward.finish())

    def without(self, key: uuid.UUID) -> Table[R]:
        """Return the table without the record of that id."""
        old = self.rows.get(key)
        if old is None:
            return self
        unique, backward = self.unique.mutate(), self.backward.mutate()
        for columns in self.kind.UNIQUE:
            index, value = self.unique.get(columns, Map()), unique_key(old, columns)
            if index.get(value) == key:
                unique[columns] = index.delete(value)
        for place in sought(old):
            left = self.backward[place].delete(key)
            if left:
                backward[place] = left
            else:
                del backward[place]
        return Table(self.kind, self.rows.delete(key), unique.finish(), backward.finish())


def _empty() -> Map[str, Table[Any]]:
    return Map({kind.TABLE: Table(kind) for kind in RECORDS})


@dataclasses.dataclass(frozen=True, slots=True)
class Records:
    """One table a class of record."""

    tables: Map[str, Table[Any]] = dataclasses.field(default_factory=_empty)

    def replaced(self, changes: Iterable[tuple[Record | None, Record | None]]) -> Records:
        """Return the records after changes (old, new): `new` in the place of `old`, or gone if it is None."""
        tables = self.tables.mutate()
        for old, new in changes:
            record = cast("Record", new if new is not None else old)
            table = tables[record.TABLE]
            tables[record.TABLE] = table.without(record.id) if new is None else table.with_(new)
        return Records(tables.finish())

    @property
    def hosts(self) -> Table[Host]:
        """Machines."""
        return cast("Table[Host]", self.tables[Host.TABLE])

    @property
    def tenants(self) -> Table[Tenant]:
        """Owners."""
        return cast("Table[Tenant]", self.tables[Tenant.TABLE])

    @property
    def networks(self) -> Table[Network]:
        """Segments."""
        return cast("Table[Network]", self.tables[Network.TABLE])

    @property
    def spaces(self) -> Table[Space]:
        """Scopes of disjoint subnets."""
        return cast("Table[Space]", self.tables[Space.TABLE])

    @property
    def subnets(self) -> Table[Subnet]:
        """Docker's pools."""
        return cast("Table[Subnet]", self.tables[Subnet.TABLE])

    @property
    def blocks(self) -> Table[Block]:
        """Parts of subnets, each with one host."""
        return cast("Table[Block]", self.tables[Block.TABLE])

    @property
    def addresses(self) -> Table[Address]:
        """Addresses that are taken."""
        return cast("Table[Address]", self.tables[Address.TABLE])

    @property
    def vrfs(self) -> Table[Vrf]:
        """Routing domains on hosts."""
        return cast("Table[Vrf]", self.tables[Vrf.TABLE])

    @property
    def docker_networks(self) -> Table[DockerNetwork]:
        """Networks as hosts' Dockers know them."""
        return cast("Table[DockerNetwork]", self.tables[DockerNetwork.TABLE])

    @property
    def endpoints(self) -> Table[Endpoint]:
        """Attachments of containers."""
        return cast("Table[Endpoint]", self.tables[Endpoint.TABLE])

    @property
    def uplinks(self) -> Table[Uplink]:
        """Physical interfaces of hosts that are ports of their bridges."""
        return cast("Table[Uplink]", self.tables[Uplink.TABLE])

    @property
    def published(self) -> Table[Published]:
        """Ports of endpoints that hosts serve."""
        return cast("Table[Published]", self.tables[Published.TABLE])

    @property
    def backends(self) -> Table[Backend]:
        """Places for volumes."""
        return cast("Table[Backend]", self.tables[Backend.TABLE])

    @property
    def volumes(self) -> Table[Volume]:
        """Data that containers mount."""
        return cast("Table[Volume]", self.tables[Volume.TABLE])

    @property
    def holders(self) -> Table[Holder]:
        """Containers' uses of volumes."""
        return cast("Table[Holder]", self.tables[Holder.TABLE])

    @property
    def leases(self) -> Table[Lease]:
        """Rights of one host to use a volume."""
        return cast("Table[Lease]", self.tables[Lease.TABLE])

    @property
    def fences(self) -> Table[Fence]:
        """Hosts that must not reach a storage server."""
        return cast("Table[Fence]", self.tables[Fence.TABLE])
