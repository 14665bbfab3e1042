"""The epoch beside the data: a mount with an older one is refused, whatever the records say."""

from __future__ import annotations

from pathlib import Path

import pytest

from volplugin.backends.kind import BackendError
from volplugin.worker.directories import advance, check_mark, make

LOCAL = {"name": "disk", "kind": "local", "source": "/srv", "options": {}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make(LOCAL, str(tmp_path), "default/data", {"volume": "v1", "name": "data", "epoch": 1})
    return tmp_path / "default" / "data"


def test_a_newer_lease_is_noted_with_all_else_as_it_was(data: Path) -> None:
    advance(data, "v1", 3)

    assert {"volume": "v1", "name": "data", "epoch": 3} == check_mark(data, "v1")


def test_the_same_lease_may_come_again(data: Path) -> None:
    advance(data, "v1", 3)
    advance(data, "v1", 3)

    assert 3 == check_mark(data, "v1")["epoch"]


def test_an_older_lease_is_refused_and_changes_nothing(data: Path) -> None:
    advance(data, "v1", 3)

    with pytest.raises(BackendError, match=r"a host with a newer lease has used it \(epoch 3, and the records say 2\)"):
        advance(data, "v1", 2)

    assert 3 == check_mark(data, "v1")["epoch"]


def test_the_directory_of_another_volume_is_refused(data: Path) -> None:
    with pytest.raises(BackendError, match="is of another volume"):
        advance(data, "v2", 5)
