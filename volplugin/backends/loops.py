"""Loop devices of this machine, as the kernel tells of them (linux/loop.h, /sys/block)."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

GET_STATUS64 = 0x4C05  # struct loop_info64 of 232 bytes: u64 lo_device, u64 lo_inode ...
BLOCKS = Path("/sys/block")


def of(file: Path) -> list[str]:
    """Return the devices that show this file, told by its inode: several mounts may show other files by this path."""
    try:
        wanted = file.stat()
    except FileNotFoundError:
        return []
    return [device for device in _attached() if _inode(device) == (wanted.st_dev, wanted.st_ino)]


def _attached() -> list[str]:
    return [f"/dev/{block.name}" for block in sorted(BLOCKS.glob("loop*")) if (block / "loop/backing_file").exists()]


def _inode(device: str) -> tuple[int, int] | None:
    """Return the file system and the inode of what a device shows."""
    status = bytearray(232)
    try:
        handle = os.open(device, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.ioctl(handle, GET_STATUS64, status)
    except OSError:  # detached meanwhile
        return None
    finally:
        os.close(handle)
    found, inode = struct.unpack_from("=QQ", status)
    return found, inode
