import json
from pathlib import Path
from typing import Any

import pytest

from volplugin.backends.kind import BackendError
from volplugin.worker import directories

BACKEND: dict[str, Any] = {"name": "disk", "kind": "local", "source": "/srv/volumes", "options": {}}
ID = "0d5ba2f2-6dbb-4a5b-9b0d-0c5c7c2f4a11"
MARK = {"volume": ID, "name": "db", "epoch": 1, "created": 1000}
OTHER = {**MARK, "volume": "another"}


def make(share: Path, path: str = "acme/db-1", mark: dict[str, Any] = MARK, **top: int) -> None:
    directories.make(BACKEND, str(share), path, mark, **top)


def test_a_volume_is_a_directory_with_a_marker_beside_it(tmp_path: Path) -> None:
    make(tmp_path)

    assert (tmp_path / "acme/db-1").is_dir()
    assert MARK == json.loads((tmp_path / "acme/.db-1.moorage").read_text())
    assert ["acme/.db-1.moorage", "acme/db-1"] == sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("*/*"))


def test_containers_that_are_not_root_may_look_into_it_unless_its_user_says_otherwise(tmp_path: Path) -> None:
    make(tmp_path)
    make(tmp_path, "acme/db-2", OTHER, mode=0o700)

    assert [0o755, 0o700] == [(tmp_path / "acme" / name).stat().st_mode & 0o7777 for name in ("db-1", "db-2")]


def test_making_it_again_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "acme/db-1/file").write_text("kept")

    make(tmp_path)

    assert "kept" == (tmp_path / "acme/db-1/file").read_text()


def test_what_an_ended_attempt_left_is_made_anew(tmp_path: Path) -> None:
    making = tmp_path / "acme" / f".making-{ID}"
    making.mkdir(parents=True)
    (making / "half").touch()

    make(tmp_path)

    assert [] == list((tmp_path / "acme/db-1").iterdir())
    assert not making.exists()


def test_a_directory_of_another_volume_is_never_taken(tmp_path: Path) -> None:
    make(tmp_path, mark=OTHER)

    with pytest.raises(BackendError, match=r"db-1 is of another volume \(another\): it is not touched"):
        make(tmp_path)


@pytest.mark.parametrize("marker", [None, "{", '{"volume": "another"}'])
def test_what_does_not_bear_its_mark_is_neither_moved_nor_deleted(tmp_path: Path, marker: str | None) -> None:
    make(tmp_path)
    file = tmp_path / "acme/.db-1.moorage"
    file.unlink() if marker is None else file.write_text(marker)

    with pytest.raises(BackendError, match="it is not touched"):
        directories.rename(str(tmp_path), "acme/db-1", ".trash/x", ID)
    with pytest.raises(BackendError, match="it is not touched"):
        directories.delete(BACKEND, str(tmp_path), ["acme/db-1"], ID)
    assert (tmp_path / "acme/db-1").is_dir()


def test_it_moves_with_its_marker_and_moving_it_again_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "acme/db-1/file").write_text("kept")

    for _ in range(2):
        directories.rename(str(tmp_path), "acme/db-1", f".trash/{ID}", ID)

    assert "kept" == (tmp_path / f".trash/{ID}/file").read_text()
    assert MARK == json.loads((tmp_path / f".trash/.{ID}.moorage").read_text())
    assert [] == list((tmp_path / "acme").iterdir())


def test_it_is_deleted_wherever_it_is_and_again_without_harm(tmp_path: Path) -> None:
    make(tmp_path)
    make(tmp_path, "acme/db-2", OTHER)

    for _ in range(2):
        directories.delete(BACKEND, str(tmp_path), [f".trash/{ID}", "acme/db-1"], ID)

    assert ["acme/.db-2.moorage", "acme/db-2"] == sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("*/*"))


def test_a_volume_is_never_seen_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "share/acme").mkdir(parents=True)
    (tmp_path / "share/acme/db-1").symlink_to(tmp_path / "outside")

    with pytest.raises(BackendError, match="leads out of the backend through a link"):
        directories.inside(tmp_path / "share", "acme/db-1")


def test_missing_data_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="its data is missing: there is no acme/db-1 on the backend"):
        directories.inside(tmp_path, "acme/db-1")
