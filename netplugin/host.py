"""This host's place in the records of networks: its address space."""

from __future__ import annotations

import uuid

from records.model import Space, SpaceId
from records.snapshot import Records
from records.writes import Insert, Write


def space_of(records: Records, host: str) -> tuple[Space, list[Write]]:
    """Return the address space of a host's own bridges, and the write that makes it if there is none."""
    name = f"host/{host}"
    if (space := records.spaces.one(name=name)) is not None:
        return space, []
    space = Space(id=SpaceId(uuid.uuid4()), name=name)
    return space, [Insert(space)]
