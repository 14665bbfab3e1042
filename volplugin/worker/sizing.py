"""Bounding how much a volume holds: which way of its backend can, or why none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from volplugin.backends import registry
from volplugin.backends.image import Image
from volplugin.backends.kind import BackendError, Definition, Kind, Limit, Top
from volplugin.sizes import ADVISORY, IMAGE, SizeMode


def limited(
    kind: Kind, backend: Definition, share: Path, path: str, *, size: int | None, mode: SizeMode, top: Top
) -> str | None:
    """Let a new directory hold so many bytes, as `mode` asks; return what enforces that.

    Raises:
        BackendError: nothing can: why each way cannot, and what to do.

    """
    if size is None:
        return None
    if mode is SizeMode.REPORT:
        return ADVISORY
    if mode is SizeMode.IMAGE:
        Image().make(share / path, size, top)
        return IMAGE
    reasons = []
    for limit in kind.limits():
        if (refusal := limit.refusal(backend, share)) is None:
            limit.put(backend, share, path, size)
            return limit.NAME
        reasons.append(f"{limit.NAME}: {refusal}")
    why = "; ".join(reasons) or f"a {kind.NAME} backend has no limits for directories"
    raise BackendError(
        f"backend {backend.name} cannot enforce a size ({why}); add -o size-mode=image for a file system of that size "
        "in a file, or -o size-mode=report for a size that nothing enforces"
    )


def grow(backend: Mapping[str, Any], share: str, path: str, size: int, size_by: str) -> None:
    """Let a volume hold more, while it is in use or not."""
    definition = Definition(**backend)
    if size_by == IMAGE:
        Image().grow(Path(share, path), size)
        return
    _limit(definition, size_by).put(definition, Path(share), path, size)


def used(backend: Mapping[str, Any], share: str, volumes: Mapping[str, tuple[str, str, str]]) -> dict[str, int]:
    """Return how many bytes of their sizes volumes use, as far as that is cheaply told.

    Each is its path, what enforces its size, and where it is mounted.
    """
    definition, found = Definition(**backend), {}
    for volume, (path, size_by, target) in volumes.items():
        with contextlib.suppress(BackendError, OSError):  # one that cannot be told of
            if size_by == IMAGE:
                there = os.statvfs(target)
                found[volume] = (there.f_blocks - there.f_bfree) * there.f_frsize
            elif (bytes_ := _limit(definition, size_by).used(definition, Path(share), path)) is not None:
                found[volume] = bytes_
    return found


def lift(backend: Definition, share: Path, path: str) -> None:
    """Take away what limits a directory, because it is going to be deleted."""
    for limit in registry.kind(backend.kind).limits():
        if limit.refusal(backend, share) is None:
            limit.lift(backend, share, path)


def _limit(backend: Definition, name: str) -> Limit:
    for limit in registry.kind(backend.kind).limits():
        if name == limit.NAME:
            return limit
    raise BackendError(f"backends of kind {backend.kind} know no limit called {name!r}")
