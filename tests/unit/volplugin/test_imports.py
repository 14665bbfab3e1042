import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemonkit.errors import BadRequest
from records.memory import MemoryStore
from records.model import Retain, Volume, VolumeState
from tests.volumes import ready, volumes
from volplugin.imports import check_path, import_directory
from volplugin.volumes import find


def imported(
    store: MemoryStore, path: str = "old/data", name: str = "db", backend: str = "disk", **given: str
) -> Volume:
    return import_directory(store, name, backend, path, given, host="a", shared=lambda _: True, now=lambda: 7.0)


def test_a_directory_becomes_a_volume_whose_data_stays_when_it_is_removed(store: MemoryStore) -> None:
    made = imported(store)

    assert ("old/data", True, Retain.KEEP, VolumeState.MAKING) == (made.path, made.imported, made.retain, made.state)
    assert made == find(store.snapshot(), "db")


def test_its_data_is_removed_where_its_user_says_so(store: MemoryStore) -> None:
    assert Retain.TRASH is imported(store, retain="trash").retain


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "is no path"),
        ("a\0b", "is no path"),
        ("a" * 2000, "is no path"),
        ("/srv/data", r"is absolute: .* such as srv/data"),
        ("..", "is not written plainly"),
        ("a/../b", "is not written plainly"),
        ("a//b", "is not written plainly"),
        ("./a", "is not written plainly"),
        ("a/", "is not written plainly"),
        (".", "is not written plainly"),
        (".trash/x", "is where Moorage itself keeps things"),
        ("a/.db.moorage", "is where Moorage itself keeps things"),
        ("a/.making-1", "is where Moorage itself keeps things"),
    ],
)
def test_paths_that_cannot_be_are_refused(store: MemoryStore, path: str, told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        imported(store, path)


@given(st.text(alphabet="ab./\\\0\n-", max_size=12))
def test_a_path_that_is_taken_stays_below_the_share(path: str) -> None:
    try:
        check_path(path)
    except BadRequest:
        return
    assert not {"", ".", ".."} & set(path.split("/"))


def test_directories_of_other_volumes_are_refused_and_those_in_and_around_them(store: MemoryStore) -> None:
    ready(store, "other")
    path = find(store.snapshot(), "other").path

    for asked, where in ((path, "is"), (f"{path}/in", "is in")):
        with pytest.raises(BadRequest, match=f"directory {asked} {where} that of volume other"):
            imported(store, asked)
    imported(store, "deep/er/data")
    with pytest.raises(BadRequest, match="directory deep/er is around that of volume db"):
        imported(store, "deep/er", "db2")


def test_where_volumes_of_a_tenant_are_made_is_nobody_s(store: MemoryStore) -> None:
    ready(store, "other")

    with pytest.raises(BadRequest, match="default is where the volumes of tenant default are made"):
        imported(store, "default")


def test_no_volume_is_made_within_an_imported_one(store: MemoryStore) -> None:
    imported(store, "acme")

    with pytest.raises(BadRequest, match="the directory of tenant acme on backend disk is volume db"):
        volumes(store).create("acme/new", {})


def test_a_removed_volume_s_directory_is_not_taken_while_it_may_come_back(store: MemoryStore) -> None:
    ready(store, "other")
    path = find(store.snapshot(), "other").path
    volumes(store).remove("other")

    with pytest.raises(BadRequest, match="which was removed and can still be restored"):
        imported(store, path)


@pytest.mark.parametrize("option", ["backend", "size", "uid", "gid", "mode"])
def test_options_that_would_change_the_directory_are_refused(store: MemoryStore, option: str) -> None:
    text = {"backend": "disk", "size": "10M", "mode": "0700"}.get(option, "5")

    with pytest.raises(BadRequest, match=f"an imported directory stays as it is: leave {option} out"):
        import_directory(store, "d2", "disk", "p", {option: text}, host="a", shared=lambda _: True, now=lambda: 7.0)


def test_names_and_backends_are_checked_as_ever(store: MemoryStore) -> None:
    ready(store, "taken")

    with pytest.raises(BadRequest, match="there is a volume taken already"):
        imported(store, name="taken")
    with pytest.raises(BadRequest, match="there is no backend nowhere; there are: disk"):
        imported(store, backend="nowhere")
    with pytest.raises(BadRequest, match="cannot be called"):
        imported(store, name="../x")


def test_giving_an_import_up_leaves_the_data(store: MemoryStore) -> None:
    made = imported(store, retain="delete")

    volumes(store).remove("db")

    gone = store.snapshot().volumes.get(made.id)
    assert gone is not None
    assert (VolumeState.REMOVING, Retain.KEEP) == (gone.state, gone.retain)
