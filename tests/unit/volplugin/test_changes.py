import dataclasses
import itertools

import pytest

from daemonkit.errors import BadRequest, Failed, InUse, NotFound
from records.memory import MemoryStore
from records.model import HostId, Retain, Volume, VolumeState
from records.writes import Insert, Update
from tests.volumes import backend, holders, ready, trashed, volumes
from volplugin import changes, progress
from volplugin.plan.chores import Outcome, done
from volplugin.volumes import find


def host(store: MemoryStore, name: str) -> HostId:
    found = store.snapshot().hosts.one(name=name)
    assert found is not None
    return found.id


def edit(store: MemoryStore, volume: Volume, **columns: object) -> Volume:
    changed = dataclasses.replace(volume, **columns)  # type: ignore[arg-type]
    store.commit([Update(volume, changed)])
    return changed


def test_a_volume_comes_back_from_the_trash_by_its_name_on_the_host_that_was_asked(store: MemoryStore) -> None:
    gone = trashed(store, "db")

    back = changes.restore(store, "db", "b")

    assert (gone.id, 0, VolumeState.RESTORING, host(store, "b")) == (back.id, back.removed, back.state, back.steward)
    assert back == find(store.snapshot(), "db")


def test_of_several_of_one_name_the_last_removed_comes_back_unless_an_id_is_given(store: MemoryStore) -> None:
    first, second = trashed(store, "db", at=1000.0), trashed(store, "db", at=2000.0)

    assert second.id == changes.restore(store, "db", "a").id

    edit(store, find(store.snapshot(), "db"), state=VolumeState.READY)
    changes.rename(store, "db", "db2")

    assert first.id == changes.restore(store, str(first.id)[:8], "a").id


def test_nothing_comes_back_to_a_name_that_is_taken(store: MemoryStore) -> None:
    trashed(store, "db")
    ready(store, "db")

    with pytest.raises(BadRequest, match="there is a volume db again: rename or remove it first"):
        changes.restore(store, "db", "a")


def test_what_never_was_removed_does_not_come_back(store: MemoryStore) -> None:
    ready(store, "db")

    for name in ("db", "no", str(find(store.snapshot(), "db").id)):
        with pytest.raises(NotFound, match=f"removed volume {name} does not exist"):
            changes.restore(store, name, "a")


@pytest.mark.parametrize(
    ("state", "retain", "told"),
    [
        (VolumeState.DELETING, Retain.TRASH, "its data is being deleted"),
        (VolumeState.REMOVING, Retain.DELETE, "was removed with retain=delete: it is not in the trash"),
        (VolumeState.REMOVING, Retain.KEEP, "was removed with retain=keep: it is not in the trash"),
    ],
)
def test_what_is_not_in_the_trash_does_not_come_back(
    store: MemoryStore, state: VolumeState, retain: Retain, told: str
) -> None:
    edit(store, trashed(store, "db"), state=state, retain=retain)

    with pytest.raises(BadRequest, match=told):
        changes.restore(store, "db", "a")


def test_who_is_at_it_brings_it_back_so_that_two_hosts_never_move_it_at_once(store: MemoryStore) -> None:
    ready(store, "db", "a")
    volumes(store, "a").remove("db")

    assert host(store, "a") == changes.restore(store, "db", "b").steward


def test_a_volume_of_one_host_s_disk_is_brought_back_by_that_host(store: MemoryStore) -> None:
    store.commit([Insert(backend("own", kind="local", source="/srv"))])
    trashed(store, "db", "a", backend="own")

    assert host(store, "a") == changes.restore(store, "db", "b").steward


def test_deleting_now_takes_a_live_volume_or_one_in_the_trash(store: MemoryStore) -> None:
    ready(store, "live")
    trashed(store, "gone")

    deleted = [changes.delete_now(store, name, "a", lambda: 3.0) for name in ("live", "gone")]

    assert [VolumeState.DELETING] * 2 == [volume.state for volume in deleted]
    assert [3000, 1_000_000] == [volume.removed for volume in deleted]


def test_deleting_now_again_changes_nothing(store: MemoryStore) -> None:
    first = changes.delete_now(store, trashed(store, "gone").name, "a", lambda: 3.0)

    assert first == changes.delete_now(store, "gone", "b", lambda: 9.0)


def test_a_held_volume_is_neither_deleted_nor_renamed(store: MemoryStore) -> None:
    ready(store, "db")
    holders(store, "b").hold("db", "m1")

    with pytest.raises(InUse, match="volume db is in use by a container on host b"):
        changes.delete_now(store, "db", "a", lambda: 3.0)
    with pytest.raises(InUse, match="volume db is in use by a container on host b"):
        changes.rename(store, "db", "other")


def test_data_that_is_kept_is_never_deleted_by_a_command(store: MemoryStore) -> None:
    ready(store, "db", retain="keep")

    with pytest.raises(BadRequest, match="volume db keeps its data"):
        changes.delete_now(store, "db", "a", lambda: 3.0)


def test_a_renamed_volume_keeps_its_data_where_it_is(store: MemoryStore) -> None:
    ready(store, "db")
    before = find(store.snapshot(), "db")

    renamed = changes.rename(store, "db", "db2")

    assert dataclasses.replace(before, name="db2") == renamed == find(store.snapshot(), "db2")
    with pytest.raises(NotFound):
        find(store.snapshot(), "db")


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("taken", "there is a volume taken already"),
        ("x", "a volume cannot be called 'x'"),
        ("../db", "a volume cannot be called"),
        ("acme/db", "volume db is default's, and would not be acme's by another name"),
    ],
)
def test_names_that_cannot_be_are_refused(store: MemoryStore, new: str, told: str) -> None:
    ready(store, "db")
    ready(store, "taken")

    with pytest.raises(BadRequest, match=told):
        changes.rename(store, "db", new)


def test_a_volume_stays_its_tenant_s_when_it_is_renamed(store: MemoryStore) -> None:
    ready(store, "acme/db")

    assert "acme/db2" == changes.rename(store, "acme/db", "acme/db2").name


def grown(store: MemoryStore, size_by: str | None) -> Volume:
    ready(store, "db", **({} if size_by is None else {"size": "10M"}))
    return edit(store, find(store.snapshot(), "db"), size_by=size_by, sized=10 * 2**20 if size_by else None)


def test_a_volume_grows_by_its_steward_and_is_said_to_be_done_when_that_is(store: MemoryStore) -> None:
    grown(store, "btrfs quota group")

    asked = changes.resize(store, "db", 20 * 2**20, "a")

    assert (20 * 2**20, 10 * 2**20) == (asked.size, asked.sized)
    with pytest.raises(Failed, match="volume db is still ready after 0 s; host a is to do it"):
        progress.outcome(store, asked.id, 0)

    store.commit([done(asked)])

    assert find(store.snapshot(), "db") == progress.outcome(store, asked.id, 0)


def test_a_size_that_nothing_enforces_is_another_one_at_once(store: MemoryStore) -> None:
    grown(store, "report")

    assert 20 * 2**20 == changes.resize(store, "db", 20 * 2**20, "a").sized


def test_an_image_grows_where_it_is_mounted(store: MemoryStore) -> None:
    grown(store, "image")
    holders(store, "b").hold("db", "m1")

    assert host(store, "b") == changes.resize(store, "db", 20 * 2**20, "a").steward


def test_no_volume_shrinks_or_gets_a_size_later(store: MemoryStore) -> None:
    grown(store, "image")
    with pytest.raises(BadRequest, match="it can grow, not shrink"):
        changes.resize(store, "db", 2**20, "a")

    ready(store, "free")
    with pytest.raises(BadRequest, match="volume free was made without a size"):
        changes.resize(store, "free", 2**20, "a")


def test_labels_are_set_and_taken_away(store: MemoryStore) -> None:
    ready(store, "db", labels="team=web,tier=1")

    assert {"team": "web", "env": "prod"} == changes.label(store, "db", {"tier": None, "env": "prod"}).labels


def test_what_a_host_that_is_gone_began_another_one_finishes_when_it_is_told_to(store: MemoryStore) -> None:
    ready(store, "db", "a")
    volumes(store, "a").remove("db")

    assert host(store, "b") == changes.take_over(store, "db", "b").steward


def test_data_on_the_disk_of_a_host_that_is_gone_is_gone_with_it(store: MemoryStore) -> None:
    store.commit([Insert(backend("own", kind="local", source="/srv"))])
    ready(store, "db", "a", backend="own")

    with pytest.raises(BadRequest, match="its data is on host a, which alone reaches it"):
        changes.take_over(store, "db", "b")


def test_who_waits_is_told_why_it_cannot_be_done(store: MemoryStore) -> None:
    made = volumes(store).create("db", {})
    edit(store, made, problem="the disk is full")

    with pytest.raises(Failed, match="volume db: the disk is full"):
        progress.outcome(store, made.id, 10)


def test_who_waits_for_a_deletion_is_told_when_the_volume_is_gone(store: MemoryStore) -> None:
    deleted = changes.delete_now(store, trashed(store, "db").name, "a", lambda: 3.0)
    store.commit([done(deleted, Outcome())])

    assert progress.outcome(store, deleted.id, 0) is None


@pytest.mark.parametrize(("state", "retain"), list(itertools.product(VolumeState, Retain)))
def test_whatever_a_volume_is_no_change_leaves_one_that_nobody_brings_on(
    store: MemoryStore, state: VolumeState, retain: Retain
) -> None:
    removed = 5 if state in {VolumeState.REMOVING, VolumeState.TRASHED, VolumeState.DELETING} else 0
    ready(store, "db")
    edit(store, find(store.snapshot(), "db"), state=state, retain=retain, removed=removed)

    for change in (
        lambda: changes.rename(store, "db", "db2"),
        lambda: changes.restore(store, "db", "b"),
        lambda: changes.delete_now(store, "db", "b", lambda: 3.0),
    ):
        try:
            changed = change()
        except (BadRequest, NotFound):
            continue
        assert changed.steward in {host(store, "a"), host(store, "b")}
        assert changed == store.snapshot().volumes.get(changed.id)
