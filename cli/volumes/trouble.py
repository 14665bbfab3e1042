"""Volumes that cannot be brought to where they should be; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from records.snapshot import Records


@dataclasses.dataclass(frozen=True, slots=True)
class VolumeStatus:
    """A volume that cannot be brought to where it should be, and why; `host` is the one that tries."""

    name: str
    backend: str
    state: str
    host: str
    problem: str


def troubled(records: Records) -> Iterator[VolumeStatus]:
    """Yield the volumes in trouble."""
    for volume in records.volumes:
        if volume.problem is not None:
            backend = records.backends.get(volume.backend)
            host = records.hosts.get(volume.steward)
            at, place = host.name if host else "?", backend.name if backend else "?"
            yield VolumeStatus(volume.name, place, str(volume.state), at, volume.problem)
