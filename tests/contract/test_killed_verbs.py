"""The worker killed between any two system calls of any verb: repeated, each verb ends where it would have."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from volplugin.worker import directories

BACKEND: dict[str, Any] = {"name": "disk", "kind": "local", "source": "/srv", "options": {}}
ID = "0d5ba2f2-6dbb-4a5b-9b0d-0c5c7c2f4a11"
MARK = {"volume": ID, "name": "db", "epoch": 1, "created": 1000}
PATH, TRASH = "acme/db-1", f".trash/{ID}"
# What Python tells of what it is about to do to the file system (sys.addaudithook).
CHANGES = {
    "open",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.chmod",
    "os.chown",
    "os.truncate",
    "os.listdir",
}
STEPS_MAX = 60


def make(share: Path) -> None:
    directories.make(BACKEND, str(share), PATH, MARK, uid=0, mode=0o770)


def discard(share: Path) -> None:
    directories.rename(str(share), PATH, TRASH, ID)


def restore(share: Path) -> None:
    directories.rename(str(share), TRASH, PATH, ID)


def delete(share: Path) -> None:
    directories.delete(BACKEND, str(share), [TRASH, PATH], ID)


def adopt(share: Path) -> None:
    directories.adopt(str(share), PATH, MARK)


def forget(share: Path) -> None:
    directories.forget(str(share), PATH, ID)


def prepared(share: Path, *before: Callable[[Path], None]) -> None:
    """Make a volume with a file, and do something with it."""
    share.mkdir()
    make(share)
    (share / PATH / "deep").mkdir()
    (share / PATH / "deep/file").write_text("kept")
    for verb in before:
        verb(share)


def bare(share: Path) -> None:
    """Make a directory that is nobody's."""
    (share / PATH).mkdir(parents=True)


def killed(verb: Callable[[Path], None], share: Path, step: int) -> bool:
    """Do it in a process that is killed before its change of that number; return whether it came so far."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, _: tuple[Any, ...]) -> None:
            nonlocal seen
            if event in CHANGES:
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                seen += 1

        sys.addaudithook(count)
        try:
            verb(share)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def listing(share: Path) -> list[str]:
    """Return all that is there but for the directories of tenants and of the trash."""
    return sorted(str(path.relative_to(share)) for path in share.glob("*/**/*"))


HELD = ["acme/.db-1.moorage", "acme/db-1", "acme/db-1/deep", "acme/db-1/deep/file"]
TRASHED = [f".trash/.{ID}.moorage", TRASH, f"{TRASH}/deep", f"{TRASH}/deep/file"]


@pytest.mark.parametrize(
    ("verb", "before", "ends"),
    [
        (make, Path.mkdir, ["acme/.db-1.moorage", "acme/db-1"]),
        (discard, prepared, TRASHED),
        (restore, lambda share: prepared(share, discard), HELD),
        (delete, prepared, []),
        (delete, lambda share: prepared(share, discard), []),
        (adopt, bare, ["acme/.db-1.moorage", "acme/db-1"]),
        (forget, prepared, HELD[1:]),
    ],
    ids=["make", "discard", "restore", "delete", "delete-trashed", "adopt", "forget"],
)
def test_a_verb_that_was_killed_anywhere_is_ended_by_its_repetition(
    tmp_path: Path, verb: Callable[[Path], None], before: Callable[[Path], None], ends: list[str]
) -> None:
    for step in range(STEPS_MAX):
        share = tmp_path / str(step)
        before(share)

        far = killed(verb, share, step)
        again = killed(verb, share, max(0, step - 2))  # the repetition too
        verb(share)

        assert ends == listing(share), f"killed before change {step}"
        if markers := list(share.glob("*/.*.moorage")):
            assert [ID] == [json.loads(marker.read_text())["volume"] for marker in markers]
        if not far and not again:
            assert step > 1
            return
    pytest.fail("it never ended")


@pytest.mark.parametrize("verb", [make, discard])
def test_a_verb_that_was_killed_anywhere_is_undone_by_a_deletion(tmp_path: Path, verb: Callable[[Path], None]) -> None:
    for step in range(STEPS_MAX):
        share = tmp_path / str(step)
        prepared(share) if verb is discard else share.mkdir()

        far = killed(verb, share, step)
        delete(share)

        assert [] == listing(share), f"killed before change {step}"
        if not far:
            return
    pytest.fail("it never ended")


def test_a_discarding_that_was_killed_anywhere_is_turned_back_by_a_restoring(tmp_path: Path) -> None:
    for step in range(STEPS_MAX):
        share = tmp_path / str(step)
        prepared(share)

        far = killed(discard, share, step)
        restore(share)

        assert HELD == listing(share)
        assert "kept" == (share / PATH / "deep/file").read_text()
        if not far:
            return
    pytest.fail("it never ended")
