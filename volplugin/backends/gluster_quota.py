"""GlusterFS's quota of a directory; only a server of the pool may set one, so this host must be one too."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import ClassVar

from volplugin.backends import gluster_source, programs
from volplugin.backends.gluster_source import Source
from volplugin.backends.kind import BackendError, Definition, Limit

COMMAND = "gluster"
WITHIN = 20.0  # seconds; a pool that works on something else answers so at once


class Quota(Limit):
    """`gluster volume quota`, which the bricks keep and `df` shows."""

    NAME: ClassVar = "gluster-quota"

    def refusal(self, backend: Definition, share: Path) -> str | None:  # noqa: ARG002
        """Look whether this host's glusterd knows the volume, and whether its quota is switched on."""
        source = gluster_source.parse(backend.source)
        volume, directory = source.volume, f"{source.directory}/DIRECTORY"
        if shutil.which(COMMAND) is None or (known := _gluster("get", volume, "features.quota")).code:
            return (
                f"only a server of the pool may set a quota, and this host is none: set it on a server (gluster volume "
                f"quota {volume} limit-usage {directory} SIZE)"
            )
        if known.output.split()[-1:] != ["on"]:
            return f"quota is off: switch it on (gluster volume quota {volume} enable)"
        return None

    def put(self, backend: Definition, share: Path, path: str, size: int) -> None:
        """Set the quota, and look whether the share shows it: the pool of this host might be another one."""
        source = gluster_source.parse(backend.source)
        ended = _gluster("quota", source.volume, "limit-usage", _inside(source, path), str(size))
        if ended.code:
            raise BackendError(f"gluster does not set a quota of {size} bytes: {ended.words}")
        if (shown := _size(share / path)) > size:
            raise BackendError(
                f"a quota of {size} bytes was set on volume {source.volume}, but its directory shows {shown}: is quota "
                f"shown (gluster volume set {source.volume} quota-deem-statfs on), and is this host of the same pool?"
            )

    def lift(self, backend: Definition, share: Path, path: str) -> None:
        """Remove the quota; a directory that has none is left as it is."""
        source = gluster_source.parse(backend.source)
        if (share / path).exists() and _size(share / path) < _size(share):
            ended = _gluster("quota", source.volume, "remove", _inside(source, path))
            if ended.code:
                raise BackendError(f"gluster does not remove the quota of {path}: {ended.words}")

    def used(self, backend: Definition, share: Path, path: str) -> int | None:  # noqa: ARG002
        """Return what the directory's quota has given out: what is not free of its size."""
        found = os.statvfs(share / path)
        if found.f_blocks * found.f_frsize >= _size(share):
            return None
        return (found.f_blocks - found.f_bfree) * found.f_frsize


def _inside(source: Source, path: str) -> str:
    """Return a directory of the share as the volume has it."""
    return f"{source.directory}/{path}"


def _size(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_blocks * found.f_frsize


def _gluster(*words: str) -> programs.Ended:
    return programs.run([COMMAND, "--mode=script", "volume", *words], WITHIN)
