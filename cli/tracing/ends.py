"""Where a packet can be: at a container, at the host, beyond an interface of it, on a VLAN of the physical network."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from cli.tracing.facts import Attachment, Container


@dataclasses.dataclass(frozen=True, slots=True)
class AtContainer:
    """It is at a container."""

    container: Container
    attachment: Attachment

    @property
    def words(self) -> str:
        """For people."""
        return f"container {self.container.name} on network {self.attachment.network}"


@dataclasses.dataclass(frozen=True, slots=True)
class AtHost:
    """It is at the host itself."""

    words: str = "the host"


@dataclasses.dataclass(frozen=True, slots=True)
class Outside:
    """It is beyond an interface of the host."""

    interface: str

    @property
    def words(self) -> str:
        """For people."""
        return f"the outside behind {self.interface}"


@dataclasses.dataclass(frozen=True, slots=True)
class OnVlan:
    """It is on a VLAN of the physical network, behind an uplink of the switch."""

    interface: str
    tag: int

    @property
    def words(self) -> str:
        """For people."""
        return f"VLAN {self.tag} behind {self.interface}"


End: TypeAlias = AtContainer | AtHost | Outside | OnVlan


def same(start: End, back: End) -> bool:
    """Say whether an answer arrived where its question was asked."""
    if isinstance(start, AtContainer) and isinstance(back, AtContainer):
        return start.container.id == back.container.id
    return start == back
