"""The limit of directories on btrfs: each volume is a subvolume, and its quota group has the size."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import ClassVar

from volplugin import btrfs
from volplugin.backends.kind import BackendError, Definition, Limit, reason


class QuotaGroup(Limit):
    """A btrfs quota group: who writes more gets EDQUOT."""

    NAME: ClassVar = "btrfs quota group"

    def refusal(self, backend: Definition, share: Path) -> str | None:
        """Return why not: it is no btrfs, or its quotas are off."""
        if not btrfs.has_btrfs(share):
            return f"{backend.source} is not on btrfs"
        if btrfs.quotas(share) is None:
            return f"quotas are not enabled there: btrfs quota enable {backend.source}"
        return None

    def put(self, backend: Definition, share: Path, path: str, size: int) -> None:  # noqa: ARG002
        """Limit the subvolume."""
        if not btrfs.is_subvolume(share / path):
            raise BackendError(f"{path} is a plain directory, and no btrfs subvolume that could be limited")
        try:
            btrfs.limit(share / path, size)
        except OSError as error:
            hint = ": enable quotas again: btrfs quota enable" if error.errno in {errno.ENOTCONN, errno.ENOENT} else ""
            raise BackendError(f"its quota group cannot be limited: {reason(error)}{hint}") from error

    def lift(self, backend: Definition, share: Path, path: str) -> None:
        """Leave it: the group goes with its subvolume."""

    def used(self, backend: Definition, share: Path, path: str) -> int | None:  # noqa: ARG002
        """Return what the group refers to, as the kernel counts it; up to half a minute old."""
        groups = btrfs.quotas(share)
        if groups is None:
            return None
        return int((groups / f"0_{btrfs.group(share / path)}" / "referenced").read_text())
