import errno
import os
from pathlib import Path
from typing import Any

import pytest

from volplugin.worker.trial import try_out


def test_a_share_that_works_says_what_was_done_and_is_left_as_it_was(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("os.chown", lambda *_: None)
    found = try_out(str(tmp_path))

    assert ["write", "read", "owner", "remove"] == [one["what"] for one in found]
    assert all(one["good"] for one in found)
    assert [] == list(tmp_path.iterdir())


def test_a_server_that_squashes_root_is_told_of_but_works(tmp_path: Path, monkeypatch: Any) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "not you")

    monkeypatch.setattr("os.chown", refused)
    owner = try_out(str(tmp_path))[2]

    assert owner["good"]
    assert "root is squashed: uid= and gid= of volumes will be refused" in owner["found"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "let its server export it read-write"),
        (errno.EACCES, "no_root_squash"),
        (errno.ENOSPC, "remove something there"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EIO, "look at the server's health and log"),
    ],
)
def test_what_the_share_refuses_has_its_reason_and_advice(
    tmp_path: Path, monkeypatch: Any, number: int, advice: str
) -> None:
    def refused(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", refused)
    (bad,) = try_out(str(tmp_path))

    assert (False, os.strerror(number)) == (bad["good"], bad["found"])
    assert advice in bad["advice"]
    assert [] == list(tmp_path.iterdir())
