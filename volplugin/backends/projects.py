"""The limit of directories on XFS and ext4: each volume is a project of its own, whose quota is the size."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import ClassVar

from volplugin import mountinfo, quota
from volplugin.backends.kind import BackendError, Definition, Limit, reason

KINDS = {"xfs", "ext4"}  # file systems that have projects
TRIES = 64  # numbers looked at for one that is free


class ProjectQuota(Limit):
    """A project quota: who writes more gets EDQUOT; on ext4 processes with CAP_SYS_RESOURCE may, on XFS none."""

    NAME: ClassVar = "project quota"

    def refusal(self, backend: Definition, share: Path) -> str | None:
        """Return why not: another file system, not mounted for it, or a kernel without it."""
        try:
            kind, device = _file_system(share)
        except BackendError as error:
            return str(error)
        if kind not in KINDS:
            return f"{backend.source} is on {kind}, which has no projects"
        try:
            enforced = quota.enforced(device)
            quota.project(share)
        except OSError as error:
            return f"{kind} on {device}: {reason(error)}"
        if not enforced:
            return f"{kind} on {device} is not mounted with prjquota, or this kernel is built without project quotas"
        return None

    def put(self, backend: Definition, share: Path, path: str, size: int) -> None:  # noqa: ARG002
        """Limit the directory's project; one without gets a project of its own."""
        directory, (_, device) = share / path, _file_system(share)
        try:
            number = quota.project(directory)
            if number in {0, quota.project(share)}:
                number = _free(device, path)
                quota.limit(device, number, size)  # first: a directory never has its project without the limit
                quota.set_project(directory, number)
            quota.limit(device, number, size)
        except OSError as error:
            raise BackendError(f"its project cannot be limited: {reason(error)}") from error

    def lift(self, backend: Definition, share: Path, path: str) -> None:  # noqa: ARG002
        """Take the limit away, so that the number can be another volume's."""
        _, device = _file_system(share)
        if (number := quota.project(share / path)) not in {0, quota.project(share)}:
            quota.limit(device, number, 0)

    def used(self, backend: Definition, share: Path, path: str) -> int | None:  # noqa: ARG002
        """Return what the project uses."""
        _, device = _file_system(share)
        return quota.known(device, quota.project(share / path))[1]


def _file_system(share: Path) -> tuple[str, str]:
    """Return the type and the device of what is mounted at the share."""
    there = mountinfo.at(str(share), mountinfo.mounts())
    if there is None:
        raise BackendError(f"{share} is not mounted")
    return there.type, there.source


def _free(device: str, path: str) -> int:
    """Return a project that nobody uses and nothing limits; numbers start where the path says, so they rarely meet."""
    first = uuid.uuid5(uuid.NAMESPACE_URL, path).int & 0x3FFFFFFF | 0x40000000  # far from those of the machine's owner
    for number in range(first, first + TRIES):
        if quota.known(device, number) == (0, 0):
            return number
    raise BackendError(f"{TRIES} numbers of projects from {first} on are taken")
