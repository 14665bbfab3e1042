import os
from pathlib import Path

import pytest

from volplugin.worker import directories, reaping

BACKEND = {"name": "disk", "kind": "local", "source": "/srv", "options": {}}


def tree(at: Path, depth: int, each: int = 2) -> None:
    """Make a tree so deep that its paths are longer than the kernel takes at once."""
    at.mkdir()
    here = os.open(at, os.O_RDONLY)
    for _ in range(depth):
        for number in range(each):
            os.close(os.open(f"file{number}", os.O_CREAT, dir_fd=here))
        os.mkdir("a-directory-with-a-long-name", dir_fd=here)
        below = os.open("a-directory-with-a-long-name", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_a_tree_goes_however_deep_it_is(tmp_path: Path) -> None:
    tree(tmp_path / "top", depth=300)

    done, deleted = reaping.reap(tmp_path / "top")

    assert (True, 300 * 3 + 1, []) == (done, deleted, list(tmp_path.iterdir()))


def test_a_directory_of_more_names_than_are_read_at_once_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaping, "BATCH", 10)
    (tmp_path / "top").mkdir()
    for number in range(25):
        (tmp_path / "top" / str(number)).touch()

    assert (True, 26) == reaping.reap(tmp_path / "top")


def test_it_stops_when_its_time_is_over_and_goes_on_when_asked_again(tmp_path: Path) -> None:
    tree(tmp_path / "top", depth=3)

    assert (False, 0) == reaping.reap(tmp_path / "top", until=0.0)
    assert (True, 10) == reaping.reap(tmp_path / "top")


def test_it_never_follows_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    tree(outside, depth=1)
    tree(tmp_path / "top", depth=1)
    (tmp_path / "top/link").symlink_to(outside)
    (tmp_path / "link").symlink_to(outside)

    reaping.reap(tmp_path / "top")
    reaping.reap(tmp_path / "link")

    assert ["outside"] == [path.name for path in tmp_path.iterdir()]
    assert (outside / "file0").exists()


def test_a_deletion_tells_how_far_it_came(tmp_path: Path) -> None:
    mark = {"volume": "v", "name": "db", "epoch": 1, "created": 1}
    directories.make(BACKEND, str(tmp_path), "acme/db-1", mark)
    (tmp_path / "acme/db-1/file").touch()

    def deleted(seconds: float) -> dict[str, object]:
        return directories.delete(BACKEND, str(tmp_path), [".trash/v", "acme/db-1"], "v", seconds)

    assert {"done": False, "entries": 0} == deleted(0)
    assert (tmp_path / "acme/.db-1.moorage").exists()
    assert {"done": True, "entries": 2} == deleted(10)
    assert [] == list((tmp_path / "acme").iterdir())
    assert {"done": True, "entries": 0} == deleted(10)
