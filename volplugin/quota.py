"""Project quotas of XFS and ext4, by quotactl(2) and ioctl(2) (linux/dqblk_xfs.h, linux/fs.h); no program is needed."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from pathlib import Path

GET_XATTR, SET_XATTR = 0x801C581F, 0x401C5820  # FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR
XATTR = struct.Struct("=IIIII8x")  # struct fsxattr: xflags, extsize, nextents, projid, cowextsize
INHERIT = 0x200  # FS_XFLAG_PROJINHERIT: what is made in the directory is of its project too

PROJECT = 2  # PRJQUOTA
X_GETQUOTA, X_SETQLIM, X_GETQSTAT = 0x5803, 0x5804, 0x5805  # Q_XGETQUOTA, Q_XSETQLIM, Q_XGETQSTAT
BLOCK = 512  # bytes: what fs_disk_quota counts in
HARD, SOFT = 1 << 3, 1 << 2  # FS_DQ_BHARD, FS_DQ_BSOFT of d_fieldmask
ENFORCED = 1 << 5  # FS_QUOTA_PDQ_ENFD of qs_flags

# struct fs_disk_quota: s8 version, flags, u16 fieldmask, u32 id, u64 blk_hard, blk_soft, ino_hard, ino_soft, bcount ...
DISK_QUOTA = struct.Struct("=bbHIQQQQQ64x")
VERSION = 1  # FS_DQUOT_VERSION

_libc = ctypes.CDLL(None, use_errno=True)


def project(directory: Path) -> int:
    """Return the project that a directory is of; 0: of none.  Raises OSError."""
    return int(XATTR.unpack(_xattr(directory))[3])


def set_project(directory: Path, number: int) -> None:
    """Make a directory, and what is made in it from now on, a project's.  Raises OSError."""
    flags, extent, count, _, cow = XATTR.unpack(_xattr(directory))
    asked = bytearray(XATTR.pack(flags | INHERIT, extent, count, number, cow))
    _ioctl(directory, SET_XATTR, asked)


def enforced(device: str) -> bool:
    """Say whether a mounted file system keeps projects to their limits."""
    status = bytearray(256)  # struct fs_quota_stat has 80 bytes
    try:
        _quotactl(X_GETQSTAT, device, 0, status)
    except OSError as error:
        if error.errno in {errno.ENOSYS, errno.ESRCH, errno.EINVAL, errno.ENOTSUP, errno.ENOENT}:
            return False
        raise
    return bool(struct.unpack_from("=bxH", status)[1] & ENFORCED)


def limit(device: str, number: int, size: int) -> None:
    """Let a project use `size` bytes at most; 0: as much as there is.  Raises OSError."""
    blocks = size // BLOCK
    asked = DISK_QUOTA.pack(VERSION, 1 << 1, HARD | SOFT, number, blocks, blocks, 0, 0, 0)  # FS_PROJ_QUOTA
    _quotactl(X_SETQLIM, device, number, bytearray(asked))


def known(device: str, number: int) -> tuple[int, int]:
    """Return the limit and the use of a project, in bytes; 0: none.  Raises OSError."""
    found = bytearray(256)
    try:
        _quotactl(X_GETQUOTA, device, number, found)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ESRCH}:
            return 0, 0
        raise
    _, _, _, _, hard, _, _, _, used = DISK_QUOTA.unpack_from(found)
    return hard * BLOCK, used * BLOCK


def _xattr(directory: Path) -> bytearray:
    found = bytearray(XATTR.size)
    _ioctl(directory, GET_XATTR, found)
    return found


def _ioctl(directory: Path, request: int, argument: bytearray) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(handle, request, argument)
    finally:
        os.close(handle)


def _quotactl(command: int, device: str, number: int, argument: bytearray) -> None:
    buffer = (ctypes.c_char * len(argument)).from_buffer(argument)
    # QCMD(command, type): the type is in the low byte
    if _libc.quotactl(command << 8 | PROJECT, os.fsencode(device), number, buffer) != 0:
        failed = ctypes.get_errno()
        raise OSError(failed, os.strerror(failed), device)
