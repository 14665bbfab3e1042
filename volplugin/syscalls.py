"""mount(2) and umount2(2), which Python's library lacks."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

MS_BIND = 0x1000
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8  # umount(2): out of sight now, ended when nobody uses it; not through a link

_libc = ctypes.CDLL(None, use_errno=True)


def bind(source: Path, target: Path) -> None:
    """Let `target` show the directory `source`.  Raises OSError."""
    _checked(_libc.mount(os.fsencode(source), os.fsencode(target), None, MS_BIND, None), target)


def unmount(target: Path, *, detach: bool = False) -> None:
    """Take away what was mounted last at `target`; with `detach` also while it is in use.  Raises OSError."""
    _checked(_libc.umount2(os.fsencode(target), UMOUNT_NOFOLLOW | (MNT_DETACH if detach else 0)), target)


def _checked(result: int, path: Path) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
