"""What a share lets root do: a file is written, read and removed, as volumes will need it."""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from volplugin.backends.kind import reason

SIZE = 64 * 1024  # bytes that are written
SOMEBODY = 12345  # a uid and gid that nobody has
ADVICE = {
    errno.EROFS: "the share is read-only: let its server export it read-write",
    errno.EACCES: "root may not write there: export it with no_root_squash, or give the directory to who root is there",
    errno.EPERM: "root may not write there: export it with no_root_squash",
    errno.ENOSPC: "there is no space left: remove something there",
    errno.EDQUOT: "the quota is used up: remove something there, or raise it",
}


def try_out(share: str) -> list[dict[str, Any]]:
    """Return findings (`volplugin.backends.kind.Finding`) of writing, reading, owning and removing a file."""
    return list(_steps(Path(share)))


def _steps(share: Path) -> Iterator[dict[str, Any]]:
    directory = share / f".moorage-test-{uuid.uuid4().hex}"
    file, text = directory / "file", os.urandom(SIZE)
    try:
        directory.mkdir()
        try:
            began = time.monotonic()
            _write(file, text)
            took = (time.monotonic() - began) * 1000
            yield _found("write", f"64 KiB are written and synced in {took:.0f} ms")
            if file.read_bytes() != text:
                yield _bad("read", "what is read is not what was written", "check the server's disks and its log")
                return
            yield _found("read", "what is read is what was written")
            yield _owned(file)
        finally:
            file.unlink(missing_ok=True)
            directory.rmdir()
    except OSError as error:
        yield _bad("write", reason(error), ADVICE.get(error.errno or 0, "look at the server's health and log"))
        return
    yield _found("remove", "the file is removed again")


def _write(file: Path, text: bytes) -> None:
    with file.open("wb") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


def _owned(file: Path) -> dict[str, Any]:
    """Return whether files can be given to users; without that, `uid` and `gid` are refused."""
    try:
        os.chown(file, SOMEBODY, SOMEBODY)
    except PermissionError:
        return _found("owner", "root is squashed: uid= and gid= of volumes will be refused (no_root_squash lets them)")
    return _found("owner", "files can be given to any user")


def _found(what: str, found: str) -> dict[str, Any]:
    return {"what": what, "good": True, "found": found, "advice": ""}


def _bad(what: str, found: str, advice: str) -> dict[str, Any]:
    return {"what": what, "good": False, "found": found, "advice": advice}
