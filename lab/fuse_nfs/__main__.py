"""The program: it ends when the mount is there, and leaves behind the process that serves it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import mfusepy

from lab.fuse_nfs.connection import connect
from lab.fuse_nfs.filesystem import Nfs
from lab.fuse_nfs.request import USAGE, Refused, Request, parse

MOUNTED = b"mounted"


def main(name: str, argv: list[str]) -> int:
    """Mount what the words ask for and return the exit status of mount.nfs."""
    try:
        _mount(parse(name, argv))
    except Refused as refused:
        print(f"{name}: {refused}", file=sys.stderr)
        return refused.status
    return 0


def _mount(request: Request) -> None:
    if not Path(request.directory).is_dir():
        raise Refused(f"mount point {request.directory} does not exist", USAGE)
    heard, told = os.pipe()
    if not os.fork():
        os.close(heard)
        _serve(request, told)
    os.close(told)
    with os.fdopen(heard, "rb") as answer:
        said = answer.read()
    if said != MOUNTED:
        raise Refused(said.decode() or "mounting failed")


def _serve(request: Request, told: int) -> None:
    """Be the mount until it is unmounted; `told` hears when it is there, or why not."""

    def mounted() -> None:
        os.setsid()  # who kills the mount program while it still tries kills us too
        os.write(told, MOUNTED)
        os.close(told)

    try:
        connection = connect(request)
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        mfusepy.FUSE(
            Nfs(connection, mounted), request.directory, foreground=True, fsname=request.spec,
            subtype="nfs" if "3" in request.versions else "nfs4", allow_other=True, default_permissions=True,
            attr_timeout=0, entry_timeout=0, **dict.fromkeys(request.flags, True),
        )  # fmt: skip
    except Refused as refused:
        os.write(told, str(refused).encode())
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).name, sys.argv[2:]))
