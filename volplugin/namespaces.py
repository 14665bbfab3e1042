"""In how many containers a volume is mounted, as /proc tells: what neither a hung dockerd nor a dead server delays."""

from __future__ import annotations

from pathlib import Path

from volplugin import mountinfo
from volplugin.mountinfo import Mounted

PROC = Path("/proc")


def seen(there: Mounted, proc: Path = PROC) -> int:
    """Return how many mount namespaces but ours have the directory that is mounted at `there`, or a part of it.

    One that has it where we do, below whatever root, is no container's: a service's own (systemd), or one that looks at
    the whole host.
    """
    looked = {(proc / "self" / "ns" / "mnt").readlink()}
    count = 0
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            namespace = (process / "ns" / "mnt").readlink()
            if namespace in looked:
                continue
            count += sees(mountinfo.mounts(process / "mountinfo"), there)
            looked.add(namespace)
        except OSError:  # it has ended
            continue
    return count


def sees(table: list[Mounted], there: Mounted) -> bool:
    """Say whether a table of mounts has the directory that is mounted at `there`, or a part of it, anywhere else."""
    below = there.root.rstrip("/") + "/"
    return any(
        mount.device == there.device
        and (mount.root == there.root or mount.root.startswith(below))
        and not mount.target.endswith(there.target)
        for mount in table
    )
