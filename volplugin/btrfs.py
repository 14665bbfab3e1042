"""Btrfs subvolumes and their quota groups, by ioctl(2) (linux/btrfs.h); no program is needed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import uuid
from pathlib import Path

MAGIC = 0x9123683E  # statfs(2): f_type
TOP_INODE = 256  # of every subvolume's top directory (BTRFS_FIRST_FREE_OBJECTID)

SUBVOL_CREATE, SNAP_DESTROY = 0x5000940E, 0x5000940F  # struct btrfs_ioctl_vol_args: s64 fd, char name[4088]
INO_LOOKUP = 0xD0009412  # struct btrfs_ioctl_ino_lookup_args: u64 treeid, u64 objectid, char name[4080]
QGROUP_CREATE = 0x4010942A  # struct btrfs_ioctl_qgroup_create_args: u64 create, u64 qgroupid
QGROUP_LIMIT = 0x8030942B  # struct btrfs_ioctl_qgroup_limit_args: u64 qgroupid, flags, max_rfer, max_excl, rsv_*
FS_INFO = 0x8400941F  # struct btrfs_ioctl_fs_info_args: u64 max_id, num_devices, u8 fsid[16] ...
LIMIT_REFERENCED = 1  # BTRFS_QGROUP_LIMIT_MAX_RFER
NAME_MAX = 4087  # bytes of vol_args' name
NO_LIMIT = 2**64 - 1  # what takes a limit away

_libc = ctypes.CDLL(None, use_errno=True)


def is_btrfs(directory: int) -> bool:
    """Say whether an open directory is on btrfs."""
    buffer = ctypes.create_string_buffer(256)  # struct statfs has 120 bytes
    if _libc.fstatfs(directory, buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return bool(struct.unpack_from("l", buffer.raw)[0] == MAGIC)


def has_btrfs(directory: Path) -> bool:
    """Say whether a directory is on btrfs."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return is_btrfs(handle)
    finally:
        os.close(handle)


def is_subvolume(directory: Path) -> bool:
    """Say whether a directory is the top of a subvolume."""
    return directory.stat().st_ino == TOP_INODE and has_btrfs(directory)


def create_subvolume(directory: Path) -> None:
    """Make a subvolume."""
    _ioctl(directory.parent, SUBVOL_CREATE, _named(directory.name))


def delete_subvolume(parent: int, name: str) -> bool:
    """Delete a subvolume with all that is in it, at once; False where it is none, or has others in it."""
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if found.st_ino != TOP_INODE or not is_btrfs(parent):
        return False
    try:
        fcntl.ioctl(parent, SNAP_DESTROY, _named(name))
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EPERM, errno.EINVAL, errno.ENOTTY}:
            return False
        raise
    return True


def quotas(directory: Path) -> Path | None:
    """Return where the kernel shows a file system's quota groups; None where they are not enabled."""
    found = bytearray(1024)
    _ioctl(directory, FS_INFO, found)
    fsid = str(uuid.UUID(bytes=bytes(found[16:32])))
    groups = Path("/sys/fs/btrfs", fsid, "qgroups")
    return groups if groups.is_dir() else None


def group(directory: Path) -> int:
    """Return the quota group of a subvolume: of level 0, so its number is the subvolume's id."""
    found = bytearray(struct.pack("=QQ4080x", 0, TOP_INODE))
    _ioctl(directory, INO_LOOKUP, found)
    return int(struct.unpack_from("=Q", found)[0])


def limit(directory: Path, size: int | None) -> None:
    """Let a subvolume refer to `size` bytes at most; None: as much as there is."""
    most = NO_LIMIT if size is None else size
    asked = struct.pack("=QQQQQQ", group(directory), LIMIT_REFERENCED, most, 0, 0, 0)
    _ioctl(directory, QGROUP_LIMIT, bytearray(asked))


def forget_group(file_system: Path, number: int) -> None:
    """Take away the quota group of a subvolume that was deleted; one that the kernel still needs stays."""
    with contextlib.suppress(OSError):
        _ioctl(file_system, QGROUP_CREATE, bytearray(struct.pack("=QQ", 0, number)))


def _named(name: str) -> bytearray:
    encoded = os.fsencode(name)
    if len(encoded) > NAME_MAX:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), name)
    return bytearray(struct.pack("=q4088s", 0, encoded))


def _ioctl(directory: Path, request: int, argument: bytearray) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(handle, request, argument)
    finally:
        os.close(handle)
