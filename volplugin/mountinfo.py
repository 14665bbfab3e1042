"""The kernel's table of mounts, as values; reading it never waits for a server (proc(5), /proc/PID/mountinfo)."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable
from pathlib import Path

TABLE = Path("/proc/self/mountinfo")
ESCAPED = re.compile(r"\\([0-7]{3})")  # how the kernel writes blanks and backslashes


@dataclasses.dataclass(frozen=True, slots=True)
class Mounted:
    """One mount."""

    device: str  # major:minor of the file system: of FUSE and NFS another one for each
    root: str  # which directory of the file system is seen
    target: str
    type: str  # fuse.glusterfs, nfs4, ext4 ...
    source: str  # server:/export, /dev/sda1 ...
    options: frozenset[str] = frozenset()  # of the mount and of the file system


def parse(table: str) -> list[Mounted]:
    """Return the mounts of a table, in its order: where two have one target, the later hides the earlier."""
    return list(_parsed(table))


def mounts(table: Path = TABLE) -> list[Mounted]:
    """Return what is mounted now."""
    return parse(table.read_text(errors="surrogateescape"))


def at(target: str, among: Iterable[Mounted]) -> Mounted | None:
    """Return what one sees at a target, if it is a mount point."""
    found = None
    for mount in among:
        if mount.target == target:
            found = mount
    return found


@functools.lru_cache(maxsize=4)
def _parsed(table: str) -> tuple[Mounted, ...]:
    """Return the mounts of a table; one call of Docker's looks at the same table several times."""
    return tuple(_parse(line) for line in table.splitlines())


def below(top: Mounted, there: Mounted) -> str | None:
    """Return which path below `top` is seen at another mount; None where it is none of that file system, or not below.

    The kernel's NFS client shows a directory that is bound as a source of its own, srv:/export/directory with the root
    "/" (fs/nfs/super.c, nfs_show_devname and nfs_show_path); all others show the directory as the root.
    """
    if there.device != top.device:
        return None
    of_source = there.root == top.root and there.source != top.source
    inside, outside = (there.source, top.source) if of_source else (there.root, top.root)
    prefix = outside.rstrip("/") + "/"
    return inside.removeprefix(prefix) if inside.startswith(prefix) else None


def _parse(line: str) -> Mounted:
    mount, _, filesystem = line.partition(" - ")
    _, _, device, root, target, options, *_ = mount.split(" ")
    kind, source, more = filesystem.split(" ")[:3]
    return Mounted(
        device=device,
        root=_plain(root),
        target=_plain(target),
        type=kind,
        source=_plain(source),
        options=frozenset([*options.split(","), *more.split(",")]),
    )


def _plain(text: str) -> str:
    return ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)
