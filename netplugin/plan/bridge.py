"""What this host's integration bridge should be; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from records.snapshot import Records


@dataclasses.dataclass(frozen=True, slots=True)
class Bridge:
    """The bridge that all containers of the host are attached to."""

    name: str
    datapath: str  # "system" (kernel module) or "netdev" (userspace)
    fail_mode: str = "secure"  # without a controller keep the flows, and never fall back to learning and flooding
    protocol: str = "OpenFlow13"


@dataclasses.dataclass(frozen=True, slots=True)
class Bridges:
    """Planner of the bridge: always one."""

    name: str
    datapath: str

    def keys(self, source: Records) -> Collection[str]:  # noqa: ARG002  # every host has it
        return {self.name}

    def want(self, source: Records, key: str) -> Bridge | None:  # noqa: ARG002
        return Bridge(self.name, self.datapath) if key == self.name else None
