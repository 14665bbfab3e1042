"""Loop devices of this machine, as the kernel tells of them (linux/loop.h, /sys/block)."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

GET_STATUS64 = 0x4C05  # struct loop_info64 of 232 bytes: u64 lo_device, u64 lo_inode ...
BLOCKS, NUMBERS = Path("/sys/block"), Path("/sys/dev/block")
MAJOR = "7:"  # of the device numbers of loop devices (linux/major.h)


def of(path: Path) -> list[str]:
    """Return the devices that show this file, told by its inode: several mounts may show other files by this path."""
    try:
        wanted = path.stat()
    except FileNotFoundError:
        return []
    return [device for device in _attached() if _inode(device) == (wanted.st_dev, wanted.st_ino)]


def file(number: str) -> Path | None:
    """Return what file a device, such as 7:0, shows, by the path at which it was opened; this never waits."""
    try:
        return Path((NUMBERS / number / "loop/backing_file").read_text().rstrip("\n"))
    except OSError:  # detached
        return None


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
