"""Volumes as a file system in a file: bounded wherever files are, also where the backend itself can bound nothing.

The file `volume.img` in a volume's directory holds an ext4, which is mounted through a loop device, by one host at a
time.  It takes as much room as was ever written in it.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from volplugin.backends import loops, programs
from volplugin.backends.kind import BackendError, Top

FILE = "volume.img"
MAKE_WITHIN, MOUNT_WITHIN, GROW_WITHIN = 20.0, 10.0, 20.0  # seconds; mkfs writes some MB, whatever the size
SUPERBLOCK = 1024  # bytes before it
E2FSCK_FAILED = 4  # e2fsck(8): from here on errors were left uncorrected, or it did not work
SMALLEST = 4 * 2**20  # bytes: an ext4 with a journal and room for files


class Image:
    """What a directory's image needs; the directory is there."""

    def make(self, directory: Path, size: int, top: Top) -> None:
        """Make the image, whose own top directory is as `top` says, and empty.

        Raises:
            BackendError: the size is too small, a program is missing, or there is no room.

        """
        if size < SMALLEST:
            raise BackendError(f"an image has at least {SMALLEST // 2**20}M")
        file = directory / FILE
        with file.open("wb") as handle:
            os.fchmod(handle.fileno(), 0o600)
            handle.truncate(size)
        owner = f"root_owner={top.uid or 0}:{top.gid or 0}"
        options = ["-E", f"{owner},lazy_itable_init=1,lazy_journal_init=1", "-m", "0"]
        _run(["mkfs.ext4", "-q", "-F", *options, str(file)], MAKE_WITHIN)
        # Programs that want an empty directory, such as PostgreSQL's initdb, refuse one with lost+found; e2fsck makes
        # it again when it needs it.
        commands = f"rmdir lost+found\nset_inode_field <2> mode 0{0o040000 | top.mode:o}\n"
        _run(["debugfs", "-w", "-f", "-", str(file)], MAKE_WITHIN, stdin=commands)
        with file.open("rb") as handle:
            os.fsync(handle.fileno())

    def grow(self, directory: Path, size: int) -> None:
        """Let the image have `size` bytes; where it is not mounted, its file system follows when it is next.

        Raises:
            BackendError: it is mounted, and this host may not let a mounted ext4 grow.

        """
        file = directory / FILE
        if file.stat().st_size < size:
            with file.open("r+b") as handle:
                handle.truncate(size)
                os.fsync(handle.fileno())
        for device in loops.of(file):
            _run(["losetup", "--set-capacity", device], GROW_WITHIN)
            try:
                _run(["resize2fs", device], GROW_WITHIN)
            except BackendError as error:  # without CAP_SYS_RESOURCE the kernel says EPERM
                raise BackendError(f"it cannot grow while it is in use, but will at its next start: {error}") from error

    def mount(self, directory: Path, target: Path) -> None:
        """Mount the image; a file system that is smaller than its file grows."""
        file = directory / FILE
        if not file.is_file():
            raise BackendError(f"its data is missing: there is no {FILE} in {directory.name} on the backend")
        if not loops.of(file) and self._is_short(file):
            ended = programs.run(["e2fsck", "-f", "-p", str(file)], GROW_WITHIN)
            if ended.code >= E2FSCK_FAILED:
                raise BackendError(f"its file system is damaged: run e2fsck -f {FILE} in {directory}: {ended.words}")
            _run(["resize2fs", str(file)], GROW_WITHIN)
        _run(["mount", "-t", "ext4", "-o", "loop,nodev", str(file), str(target)], MOUNT_WITHIN)

    def is_mounted(self, directory: Path, target: Path) -> bool:
        """Say whether what is mounted is this very file, and not one of a share that was mounted before."""
        return target.stat().st_dev in {Path(device).stat().st_rdev for device in loops.of(directory / FILE)}

    @staticmethod
    def _is_short(file: Path) -> bool:
        """Say whether the file system ends before its file does, by its superblock (ext4's layout of it)."""
        with file.open("rb") as handle:
            handle.seek(SUPERBLOCK)
            block = handle.read(1024)
        count, shift = struct.unpack_from("<I", block, 4)[0], struct.unpack_from("<I", block, 24)[0]
        high = struct.unpack_from("<I", block, 0x150)[0]
        size = 1024 << shift
        return bool((high << 32 | count) < file.stat().st_size // size)


def _run(argv: list[str], within: float, *, stdin: str = "") -> None:
    ended = programs.run(argv, within, stdin=stdin)
    if ended.code:
        raise BackendError(f"{argv[0]} failed: {ended.words or f'status {ended.code}'}")
