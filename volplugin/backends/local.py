"""Backends on a disk of the host itself: a directory.  Each host has its own data there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

from volplugin import btrfs, syscalls
from volplugin.backends.kind import (
    BackendError,
    BadDefinition,
    Definition,
    Finding,
    Kind,
    Limit,
    reason,
    refuse_unknown_options,
)
from volplugin.backends.projects import ProjectQuota
from volplugin.backends.subvolumes import QuotaGroup
from volplugin.mountinfo import Mounted

MOUNT_POINT = "mount-point"


class Local(Kind):
    """A directory of the host; the share is a bind of it."""

    NAME: ClassVar = "local"
    SHARED: ClassVar = False
    SOURCE: ClassVar = "an absolute path of a directory, such as /srv/volumes"
    OPTIONS: ClassVar = {
        MOUNT_POINT: "`yes`: it must be a mount point, so that nothing is written below it while the disk is away",
    }

    def check(self, backend: Definition) -> None:
        """Refuse relative paths, and those that are written in two ways."""
        refuse_unknown_options(self, backend)
        path = backend.source
        if not path.startswith("/") or os.path.normpath(path) != path or path == "/" or not path.isprintable():
            raise BadDefinition(f"the source of a local backend is {self.SOURCE}, not {path!r}")
        if backend.options.get(MOUNT_POINT, "no") not in {"yes", "no"}:
            raise BadDefinition(f"{MOUNT_POINT} is yes or no, not {backend.options[MOUNT_POINT]!r}")

    def is_mounted(self, backend: Definition, there: Mounted, table: Sequence[Mounted]) -> bool:
        """Say whether a mount shows the directory: it is a part of the file system that the directory is on."""
        source = PurePosixPath(backend.source)
        on = next((m for m in reversed(table) if m != there and source.is_relative_to(m.target)), None)
        if on is None:
            return False
        root = PurePosixPath(on.root) / source.relative_to(on.target)
        return (there.device, there.root) == (on.device, str(root))

    def mount(self, backend: Definition, target: Path) -> None:
        """Bind the directory."""
        for finding in self.probe(backend):
            if not finding.good:
                raise BackendError(f"{finding.found}: {finding.advice}")
        try:
            syscalls.bind(Path(backend.source), target)
        except OSError as error:
            raise BackendError(f"{backend.source} cannot be bound: {reason(error)}") from error

    def make(self, share: Path, path: str) -> None:
        """Make a subvolume on btrfs: it can be limited, and deleted at once."""
        directory = share / path
        btrfs.create_subvolume(directory) if btrfs.has_btrfs(share) else directory.mkdir()

    def limits(self) -> Sequence[Limit]:
        """Return what the file systems of Linux have."""
        return (QuotaGroup(), ProjectQuota())

    def probe(self, backend: Definition) -> Iterator[Finding]:
        """Look at the directory, and whether one can write there."""
        source = Path(backend.source)
        if not source.is_dir():
            what = "is not a directory" if source.exists() else "does not exist"
            yield Finding("directory", good=False, found=f"{source} {what}", advice=f"make it: mkdir -p {source}")
            return
        yield Finding("directory", good=True, found=f"{source} is there")
        if backend.options.get(MOUNT_POINT) == "yes":
            mounted = source.is_mount()
            found = f"{source} is {'a' if mounted else 'no'} mount point"
            yield Finding("disk", good=mounted, found=found, advice=f"mount its disk: mount {source}")
        if os.statvfs(source).f_flag & os.ST_RDONLY:
            yield Finding("writable", good=False, found=f"{source} is read-only", advice="mount it read-write")
