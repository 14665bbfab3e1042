"""Who uses a volume on this host: the processes in other mount namespaces that see its directory.

What /proc tells is enough, and never waits: neither for a hung dockerd nor for a dead storage server.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from volplugin import mountinfo
from volplugin.mountinfo import Mounted

PROC = Path("/proc")


def users(there: Mounted, proc: Path = PROC) -> list[int]:
    """Return the ids of the processes of containers that have what is mounted at `there`, or a part of it.

    A namespace that sees it where we do, below whatever root, is no container's: a service's own (systemd), a container
    that is only just being made, or one that looks at the whole host.
    """
    known: dict[str, bool] = {str((proc / "self" / "ns" / "mnt").readlink()): False}
    found = []
    for pid in _pids(proc):
        try:
            namespace = str((proc / str(pid) / "ns" / "mnt").readlink())
            if namespace not in known:
                known[namespace] = sees(mountinfo.mounts(proc / str(pid) / "mountinfo"), there)
        except OSError:  # it has ended
            continue
        if known[namespace]:
            found.append(pid)
    return found


def _pids(proc: Path) -> Iterator[int]:
    for entry in os.scandir(proc):
        if entry.name.isdigit():
            yield int(entry.name)
