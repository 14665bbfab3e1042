"""Who uses a volume on this host, as /proc tells: the processes in other mount namespaces that see its directory.

Neither a hung dockerd nor a dead storage server delays it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from volplugin import mountinfo
from volplugin.mountinfo import Mounted

PROC = Path("/proc")


def seen(there: Mounted, proc: Path = PROC) -> int:
    """Return in how many containers one sees what is mounted at `there`, or a part of it."""
    return len(_seeing(there, proc))


def users(there: Mounted, proc: Path = PROC) -> list[int]:
    """Return the ids of the processes of these containers."""
    return [pid for pids in _seeing(there, proc).values() for pid in pids]


def _seeing(there: Mounted, proc: Path) -> Mapping[str, list[int]]:
    """Return the processes by mount namespace, of those that see what is mounted there.

    A namespace that sees it where we do, below whatever root, is no container's: a service's own (systemd), a container
    that is only just being made, or one that looks at the whole host.
    """
    found: dict[str, list[int]] = {}
    others = {str((proc / "self" / "ns" / "mnt").readlink())}
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            namespace = str((process / "ns" / "mnt").readlink())
            if namespace not in others and namespace not in found:
                if _sees(mountinfo.mounts(process / "mountinfo"), there):
                    found[namespace] = []
                else:
                    others.add(namespace)
        except OSError:  # it has ended
            continue
        if namespace in found:
            found[namespace].append(int(process.name))
    return found


def _sees(table: list[Mounted], there: Mounted) -> bool:
    at = _directory(there)
    return any(
        mount.device == there.device and _directory(mount).startswith(at) and not mount.target.endswith(there.target)
        for mount in table
    )


def _directory(mount: Mounted) -> str:
    """Return which directory of its file system is seen, in a form that is the same for NFS (`mountinfo.below`)."""
    return f"{mount.source.rstrip('/')}/{mount.root.strip('/')}".rstrip("/") + "/"
