"""What a worker can be asked for.  Every verb may be repeated, and may have been ended anywhere before."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from volplugin import mountinfo, syscalls
from volplugin.backends import registry
from volplugin.backends.image import Image
from volplugin.backends.kind import BackendError, Definition, Gone, reason
from volplugin.worker import directories, sizing, trial

DEAD = {errno.ENOTCONN, errno.ESTALE, errno.EIO, errno.ENODEV, errno.ECONNABORTED}  # what a dead mount answers


def start() -> None:
    """Do nothing: an answer shows that the process has started."""


def mount(backend: Mapping[str, Any], target: str) -> None:
    """Mount a backend's share, and look whether it really is there."""
    definition, at = Definition(**backend), Path(target)
    kind = registry.checked(definition)
    while mountinfo.at(target, mountinfo.mounts()) is not None:  # something dead
        syscalls.unmount(at, detach=True)
    at.mkdir(mode=0o700, parents=True, exist_ok=True)
    if next(at.iterdir(), None) is not None:
        raise BackendError(
            f"{at} is not empty: what was to be on backend {definition.name} was written there; move it away"
        )
    kind.mount(definition, at)
    table = mountinfo.mounts()
    there = mountinfo.at(target, table)
    if there is None or not kind.is_mounted(definition, there, table):
        if there is not None:
            syscalls.unmount(at, detach=True)
        log = kind.log_tail(definition)
        raise BackendError(
            f"the mount program reported success, but {definition.source} is not mounted"
            + (f"; its client's log ends: {log}" if log else "")
        )
    alive(target)


def unmount(target: str, *, detach: bool = False) -> None:
    """Take away all that is mounted at `target`, and the directory itself, which must be empty then."""
    at = Path(target)
    while mountinfo.at(target, mountinfo.mounts()) is not None:
        try:
            syscalls.unmount(at, detach=detach)
        except OSError as error:
            raise BackendError(f"{target} cannot be unmounted: {reason(error)}") from error
    if at.is_dir():
        at.rmdir()  # never what is in it


def alive(target: str) -> dict[str, int]:
    """Ask the file system at `target` for its size; return bytes: `total`, `free`, `available` to who is not root.

    Raises:
        Gone: what was mounted is dead.

    """
    try:
        found = os.statvfs(target)
        Path(target).stat()
    except OSError as error:
        if error.errno in DEAD:
            raise Gone(f"{reason(error)}: what was mounted there is dead") from error
        raise
    size = found.f_frsize
    return {"total": found.f_blocks * size, "free": found.f_bfree * size, "available": found.f_bavail * size}


def bind(share: str, path: str, target: str, mark: Mapping[str, Any] | None = None) -> None:
    """Let `target` show the directory of a volume; of one with a lease only if its `mark` is not ahead of the lease."""
    source, at = _place(share, path, target, mark)
    try:
        syscalls.bind(source, at)
    except OSError as error:
        if error.errno in DEAD:
            raise Gone(f"{path}: {reason(error)}") from error
        raise


def mount_image(share: str, path: str, target: str, mark: Mapping[str, Any] | None = None) -> None:
    """Let `target` show the file system in the image of a volume; `mark` is as for `bind`."""
    source, at = _place(share, path, target, mark)
    Image().mount(source, at)


def _place(share: str, path: str, target: str, mark: Mapping[str, Any] | None) -> tuple[Path, Path]:
    """Return a volume's directory, and a mount point at which nothing is mounted any more."""
    source, at = directories.inside(Path(share), path), Path(target)
    if mark is not None:
        directories.advance(source, str(mark["volume"]), int(mark["epoch"]))
    while mountinfo.at(target, mountinfo.mounts()) is not None:  # something dead, or of another share
        syscalls.unmount(at, detach=True)
    at.mkdir(mode=0o700, parents=True, exist_ok=True)
    return source, at


def image_alive(share: str, path: str, target: str) -> None:
    """Look whether the image that is mounted is that of the share as it is mounted now; raises Gone."""
    if not Image().is_mounted(directories.inside(Path(share), path), Path(target)):
        raise Gone(f"{path}: its image is not the one that is mounted")


def probe(backend: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a probe of the backend finds."""
    definition = Definition(**backend)
    found = registry.checked(definition).probe(definition)
    return [{"what": f.what, "good": f.good, "found": f.found, "advice": f.advice} for f in found]


VERBS: Mapping[str, Callable[..., Any]] = {
    "start": start,
    "mount": mount,
    "unmount": unmount,
    "alive": alive,
    "bind": bind,
    "mount_image": mount_image,
    "image_alive": image_alive,
    "probe": probe,
    "try_out": trial.try_out,
    "make": directories.make,
    "delete": directories.delete,
    "rename": directories.rename,
    "adopt": directories.adopt,
    "forget": directories.forget,
    "grow": sizing.grow,
    "used": sizing.used,
}
