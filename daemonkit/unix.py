"""Unix sockets of a daemon: the path is ours, or a dead process left it, or another process serves it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

LINGER = 3.0  # seconds that a process which is just ending may keep the path


class TakenError(OSError):
    """Another process serves that path, or something that is no socket is there."""


def claim(path: str) -> None:
    """Make `path` free to be bound: create its directory, remove what a dead process left.

    Where a process still listens we wait for its end, at most `LINGER` seconds: it may be our predecessor.

    Raises:
        TakenError: it goes on listening, or `path` is not a socket.
        OSError: the directory cannot be made or written.

    """
    before = os.umask(0o077)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(before)
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise TakenError(f"{path} is there and is not a socket")
    if _listens(path):
        raise TakenError(f"{path} is served by another process")
    Path(path).unlink(missing_ok=True)


def _listens(path: str) -> bool:
    """Say whether a process listens, and still does `LINGER` seconds later."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(LINGER)
        try:
            probe.connect(path)
            probe.recv(1)  # ends when the listener closes; no server of ours speaks first
        except TimeoutError:
            return True
        except OSError:  # refused, or reset by a process that ended
            return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as again:
        again.settimeout(LINGER)
        try:
            again.connect(path)
        except OSError:
            return False
    return True
