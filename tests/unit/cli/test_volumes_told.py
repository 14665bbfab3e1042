import dataclasses
import uuid

import pytest

from cli.volumes.told import find, lines, row, told, trash_row
from daemonkit.errors import NotFound
from records.memory import MemoryStore
from records.model import (
    Access,
    Backend,
    BackendId,
    Holder,
    HolderId,
    Host,
    HostId,
    Lease,
    LeaseId,
    Tenant,
    TenantId,
    Volume,
    VolumeId,
    VolumeState,
)
from records.snapshot import Records
from records.writes import Insert

HOST = Host(id=HostId(uuid.uuid4()), name="a")
TENANT = Tenant(id=TenantId(uuid.uuid4()), name="acme")
DISK = Backend(id=BackendId(uuid.uuid4()), name="disk", kind="local", source="/srv", options={"trash": "1h"})
DATA = Volume(
    id=VolumeId(uuid.uuid4()),
    name="acme/db",
    tenant=TENANT.id,
    backend=DISK.id,
    path="acme/db-1",
    host=HOST.id,
    steward=HOST.id,
    state=VolumeState.READY,
    access=Access.HOST,
    size=3 * 2**30,
    size_by="qgroup",
    uid=70,
    mode=0o750,
    created=1000,
)
GONE = dataclasses.replace(
    DATA,
    id=VolumeId(uuid.uuid4()),
    path="acme/db-2",
    state=VolumeState.TRASHED,
    removed=5_000_000,
    access=Access.SHARED,
)


def records(*more: Volume) -> Records:
    holder = Holder(id=HolderId(uuid.uuid4()), volume=DATA.id, host=HOST.id, mount="1", boot="b")
    lease = Lease(id=LeaseId(uuid.uuid4()), volume=DATA.id, host=HOST.id, epoch=1)
    return MemoryStore().commit([Insert(one) for one in (HOST, TENANT, DISK, DATA, *more, holder, lease)])


def test_a_volume_is_one_line_with_what_tells_it_from_others() -> None:
    found = told(records(), DATA, trash=60, now=2000)

    assert ("acme/db", "acme", "disk", "ready", "3 GiB (qgroup)", "a: 1", "host") == row(found)


def test_all_of_a_volume_is_shown_and_nothing_that_is_empty() -> None:
    said = dict(lines(told(records(), DATA, trash=60, now=2000)))

    assert "disk (local), of host a alone" == said["backend"]
    assert "host, held by host a, epoch 1" == said["access"]
    assert "70:-" == said["owner"]
    assert "0750" == said["mode"]
    assert {"problem", "labels", "options", "time left"}.isdisjoint(said)


def test_what_is_in_the_trash_has_the_time_that_its_backend_leaves_it() -> None:
    found = told(records(GONE), GONE, trash=60, now=5000 + 1200)

    assert (5000, 2400.0) == (found.removed, found.left)
    assert ("acme/db", str(GONE.id)[:8], "disk", "trashed", "20 min ago", "40 min") == trash_row(found, 5000 + 1200)


def test_time_that_is_over_is_none() -> None:
    assert 0.0 == told(records(GONE), GONE, trash=60, now=99999).left


def test_a_volume_that_cannot_be_brought_on_is_marked_and_says_why() -> None:
    stuck = dataclasses.replace(GONE, state=VolumeState.DELETING, problem="disk does not answer")
    found = told(records(stuck), stuck, trash=60, now=6000)

    assert "deleting!" == row(found)[3]
    assert "disk does not answer" == dict(lines(found))["problem"]


def test_a_volume_is_found_before_a_removed_one_of_its_name_which_is_found_by_its_id() -> None:
    there = records(GONE)

    assert DATA == find(there, "acme/db")
    assert GONE == find(there, str(GONE.id))
    with pytest.raises(NotFound, match="volume web does not exist"):
        find(there, "web")
