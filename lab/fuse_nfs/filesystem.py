"""The operations of FUSE, each asked of the NFS server."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import time
from collections.abc import Callable
from typing import Any

import mfusepy
import nfs_rs

from lab.fuse_nfs.connection import Answer, Connection

BLOCK = 65536
KEEP = -1  # a user or group that chown is to leave as it is
UTIME_NOW, UTIME_OMIT = 0x3FFFFFFF, 0x3FFFFFFE  # utimensat(2), as they reach us
KINDS = {
    nfs_rs.FileType.DIRECTORY: stat.S_IFDIR, nfs_rs.FileType.SYMLINK: stat.S_IFLNK, nfs_rs.FileType.FIFO: stat.S_IFIFO,
    nfs_rs.FileType.SOCKET: stat.S_IFSOCK, nfs_rs.FileType.BLOCK_DEVICE: stat.S_IFBLK,
    nfs_rs.FileType.CHARACTER_DEVICE: stat.S_IFCHR,
}  # fmt: skip


class OpenFile:
    """An open file: opened again by its path when the connection is a new one."""

    def __init__(self, connection: Connection, path: str, mode: str) -> None:
        self._connection = connection
        self._path = path
        self._mode = mode
        self._generation = -1
        self.file: nfs_rs.File

    def get(self) -> nfs_rs.File:
        """Return the file of the connection that there is now."""
        if self._generation != self._connection.generation:
            self._generation = self._connection.generation
            self.file = self._connection.client.open(self._connection.at(self._path), self._mode)
        return self.file

    def flush(self) -> None:
        """Have the server keep what was written, unless it was written over a connection that is gone, which did."""
        if "+" in self._mode and self._generation == self._connection.generation:
            self.file.flush()


class Nfs(mfusepy.Operations):  # type: ignore[misc]
    """The mounted export."""

    use_ns = True  # times are nanoseconds

    def __init__(self, connection: Connection, mounted: Callable[[], None]) -> None:
        self._server = connection
        self._mounted = mounted
        self._files: dict[int, OpenFile] = {}
        self._numbers = itertools.count(1)

    def init(self, path: str) -> None:
        """Hear from FUSE that the mount is there."""
        self._mounted()

    # -- files --------------------------------------------------------------------------------------------------------

    def open(self, path: str, flags: int) -> int:
        """Open a file that exists; FUSE leaves it to us to truncate it."""
        if flags & os.O_TRUNC:
            self.truncate(path, 0)
        return self._open(path, "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "r+b")

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        """Make a file and open it."""
        self._ask(lambda: self._server.client.open(self._at(path), "w+b").close())
        self._own(path, mode)
        return self._open(path, "r+b")

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read `size` bytes, less only at the end of the file."""
        return self._ask(lambda: self._read(self._files[fh], size, offset))

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write all of `data`."""
        return self._ask(lambda: self._write(self._files[fh], data, offset))

    def flush(self, path: str, fh: int) -> None:
        """Have the server keep what was written."""
        self._ask(self._files[fh].flush)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        """Have the server keep what was written."""
        self._ask(self._files[fh].flush)

    def release(self, path: str, fh: int) -> None:
        """Close a file; a server that is away has forgotten it."""
        with contextlib.suppress(nfs_rs.NfsError):
            self._files.pop(fh).file.close()

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        """Set a file's size."""
        self._ask(lambda: self._server.client.truncate(self._at(path), length))

    # -- attributes ---------------------------------------------------------------------------------------------------

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        """Return what stat(2) tells."""
        return _attributes(self._ask(lambda: self._server.client.stat(self._at(path))))

    def chmod(self, path: str, mode: int) -> None:
        """Set permissions."""
        self._ask(lambda: self._server.client.chmod(self._at(path), stat.S_IMODE(mode)))

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group."""
        now = self._ask(lambda: self._server.client.stat(self._at(path)))
        owner, group = now.uid if uid == KEEP else uid, now.gid if gid == KEEP else gid
        self._ask(lambda: self._server.client.chown(self._at(path), owner, group))

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        """Set the times of last access and change."""
        now = self._ask(lambda: self._server.client.stat(self._at(path)))
        was = (now.atime, now.mtime)
        clock = time.time_ns()
        asked = times or (UTIME_NOW, UTIME_NOW)
        new = [
            clock if t == UTIME_NOW else old if t == UTIME_OMIT else int(t) for t, old in zip(asked, was, strict=True)
        ]
        self._ask(lambda: self._server.client.utime(self._at(path), ns=(new[0], new[1])))

    def statfs(self, path: str) -> dict[str, int]:
        """Return the sizes of the file system."""
        sizes = self._ask(self._server.statistics)
        return {
            "f_bsize": BLOCK, "f_frsize": BLOCK, "f_blocks": sizes.total_bytes // BLOCK,
            "f_bfree": sizes.free_bytes // BLOCK, "f_bavail": sizes.available_bytes // BLOCK,
            "f_files": sizes.total_files, "f_ffree": sizes.free_files, "f_favail": sizes.available_files,
            "f_namemax": 255,
        }  # fmt: skip

    # -- names --------------------------------------------------------------------------------------------------------

    def readdir(self, path: str, fh: int) -> list[str]:
        """Return the names in a directory."""
        found = self._ask(lambda: [entry.name for entry in self._server.client.scandir(self._at(path))])
        return [".", "..", *found]

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory."""
        self._ask(lambda: self._server.client.mkdir(self._at(path)))
        self._own(path, mode)

    def unlink(self, path: str) -> None:
        """Remove a file's name."""
        self._ask(lambda: self._server.client.unlink(self._at(path)))

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        self._ask(lambda: self._server.client.rmdir(self._at(path)))

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        self._ask(lambda: self._server.client.rename(self._at(old), self._at(new)))

    def symlink(self, target: str, source: str) -> None:
        """Make `target` a symbolic link to `source`."""
        self._ask(lambda: self._server.client.symlink(source, self._at(target)))

    def link(self, target: str, source: str) -> None:
        """Make `target` a further name of `source`."""
        self._ask(lambda: self._server.client.link(self._at(source), self._at(target)))

    def readlink(self, path: str) -> str:
        """Return where a symbolic link leads."""
        return self._ask(lambda: self._server.client.readlink(self._at(path)))

    # -----------------------------------------------------------------------------------------------------------------

    def _ask(self, operation: Callable[[], Answer]) -> Answer:
        return self._server.ask(operation)

    def _at(self, path: str) -> str:
        return self._server.at(path)

    def _own(self, path: str, mode: int) -> None:
        """Give what was just made its mode and the owner who made it."""
        uid, gid, _ = mfusepy.fuse_get_context()
        self.chmod(path, mode)
        if uid or gid:
            self.chown(path, uid, gid)

    def _open(self, path: str, mode: str) -> int:
        opened = OpenFile(self._server, path, mode)
        self._ask(opened.get)
        number = next(self._numbers)
        self._files[number] = opened
        return number

    @staticmethod
    def _read(opened: OpenFile, size: int, offset: int) -> bytes:
        file, parts, done = opened.get(), [], 0
        while done < size and (part := bytes(file.read_at(offset + done, size - done))):
            parts.append(part)
            done += len(part)
        return b"".join(parts)

    @staticmethod
    def _write(opened: OpenFile, data: bytes, offset: int) -> int:
        file, done = opened.get(), 0
        while done < len(data):
            done += file.write_at(data[done:], offset + done)
        return done


def _attributes(found: nfs_rs.FileInfo) -> dict[str, int]:
    return {
        "st_mode": KINDS.get(found.type, stat.S_IFREG) | stat.S_IMODE(found.mode), "st_nlink": found.nlink,
        "st_uid": found.uid, "st_gid": found.gid, "st_size": found.size, "st_ino": found.fileid,
        "st_blocks": (found.used + 511) // 512, "st_blksize": BLOCK,
        "st_atime": found.atime, "st_mtime": found.mtime, "st_ctime": found.ctime,
    }  # fmt: skip
