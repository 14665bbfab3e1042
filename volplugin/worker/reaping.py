"""Deleting trees of any size and depth, in slices of time; never through a link or a mount, never out of the tree."""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from volplugin import btrfs, mountinfo
from volplugin.backends.kind import BackendError, reason

BATCH = 1000  # names read at once: a directory of millions is not held in memory
DEEP = 100  # levels, each with an open file; what is deeper is moved up first


def reap(top: Path, until: float = math.inf) -> tuple[bool, int]:
    """Delete a tree, for as long as `until` in monotonic seconds; return whether it is gone, and how much was deleted.

    Raises:
        BackendError: something in it cannot be deleted, or is mounted there.

    """
    if not top.is_dir() or top.is_symlink():
        top.unlink()
        return True, 1
    _refuse_mounts(top)
    parent = os.open(top.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        tree = _Tree(parent, top, until)
        return tree.remove(parent, top.name, 0), tree.deleted
    finally:
        os.close(parent)


class _Tree:
    """One tree while it is deleted."""

    def __init__(self, parent: int, top: Path, until: float) -> None:
        self.deleted = 0
        self._parent = parent
        self._top = top
        self._until = until

    def remove(self, parent: int, name: str, depth: int) -> bool:
        """Delete a directory with what is in it; return whether it is gone."""
        if btrfs.delete_subvolume(parent, name):
            self.deleted += 1
            return True
        directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            if (
                os.fstat(directory).st_dev != os.fstat(parent).st_dev
            ):  # NFS mounts exports within exports as they are met
                _refuse_mounts(self._top)
            while names := _some(directory):
                for inner, is_directory in names:
                    if not self._remove_one(directory, inner, depth, is_directory=is_directory):
                        return False
        finally:
            os.close(directory)
        return self._try(lambda: os.rmdir(name, dir_fd=parent), name)

    def _remove_one(self, directory: int, name: str, depth: int, *, is_directory: bool) -> bool:
        if time.monotonic() >= self._until:
            return False
        if not is_directory:
            return self._try(lambda: os.unlink(name, dir_fd=directory), name)
        if depth >= DEEP and self._moved_up(directory, name):
            return True
        return self.remove(directory, name, depth + 1)

    def _moved_up(self, directory: int, name: str) -> bool:
        """Move a directory to the top of the tree, where it is met again; False where that cannot be."""
        inode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_ino
        try:
            os.rename(name, f"{self._top.name}/.deep-{inode}", src_dir_fd=directory, dst_dir_fd=self._parent)
        except OSError:  # another file system's, or a subvolume's: it is deleted where it is
            return False
        return True

    def _try(self, delete: Callable[[], None], name: str) -> bool:
        try:
            delete()
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:  # somebody writes there: the next slice looks again
                return False
            advice = "; is it immutable? see lsattr" if error.errno == errno.EPERM else ""
            raise BackendError(f"{ascii(name)[1:-1]} cannot be deleted: {reason(error)}{advice}") from error
        self.deleted += 1
        return True


def _refuse_mounts(top: Path) -> None:
    """Raise BackendError where something is mounted in a tree: it is somebody else's."""
    at = os.path.realpath(top)
    for there in mountinfo.mounts():
        if there.target == at or there.target.startswith(f"{at}/"):
            raise BackendError(
                f"{there.target} is a mount point, of {there.type}: unmount it, and the volume is deleted"
            )


def _some(directory: int) -> list[tuple[str, bool]]:
    with os.scandir(directory) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in islice(entries, BATCH)]
