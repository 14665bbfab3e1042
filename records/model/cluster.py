"""Records of machines and owners."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import ClassVar, NewType

from records.model.fields import bounded

HostId = NewType("HostId", uuid.UUID)
TenantId = NewType("TenantId", uuid.UUID)

DEFAULT_TENANT = "default"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine with Docker, one Open vSwitch and our daemons."""

    TABLE: ClassVar = "Host"
    UNIQUE: ClassVar = (("name",),)

    id: HostId
    name: str
    vtep: str | None = None  # the address that other hosts' tunnels end at
    heartbeat: int = bounded(0, 2**63 - 1, default=0)  # counts up while the host lives; only its change has a meaning
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)  # daemon -> version
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An owner of networks and volumes."""

    TABLE: ClassVar = "Tenant"
    UNIQUE: ClassVar = (("name",),)

    id: TenantId
    name: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
