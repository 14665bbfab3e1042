"""File systems in files, mounted where a machine of tests sees them and nobody else does."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.volume_machine import RealMachine

MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
SIZE = 320 * 2**20  # bytes: the least that mkfs.xfs takes is 300M


@contextlib.contextmanager
def mounted(machine: RealMachine, kind: str, at: Path, options: str = "loop") -> Iterator[Path]:
    """Mount a new file system of that kind at a directory."""
    file = at.with_suffix(f".{kind}")
    with file.open("wb") as handle:
        handle.truncate(SIZE)
    subprocess.run([*MAKE[kind], str(file)], check=True, capture_output=True)
    at.mkdir(exist_ok=True)
    machine.run("mount", "-t", kind, "-o", options, str(file), str(at))
    try:
        yield at
    finally:
        machine.run("umount", "-R", "-l", str(at))
        file.unlink()
