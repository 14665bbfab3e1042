"""Records of volumes: where data is, who uses it, and what is to become of it."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, NewType

from records.model.cluster import HostId, TenantId
from records.model.fields import bounded, ref

BackendId = NewType("BackendId", uuid.UUID)
VolumeId = NewType("VolumeId", uuid.UUID)
HolderId = NewType("HolderId", uuid.UUID)
LeaseId = NewType("LeaseId", uuid.UUID)
FenceId = NewType("FenceId", uuid.UUID)


class Access(StrEnum):
    """Who may use a volume at once."""

    SHARED = "shared"  # any containers on any hosts
    HOST = "host"  # the containers of one host
    CONTAINER = "container"  # one container


class Retain(StrEnum):
    """What becomes of the data when a volume is removed."""

    TRASH = "trash"  # kept in the backend's trash for a while
    DELETE = "delete"  # deleted
    KEEP = "keep"  # left where it is, and forgotten


class VolumeState(StrEnum):
    """How far a volume's data is; the steward brings it on."""

    MAKING = "making"  # to be made, or found where it is imported from
    READY = "ready"
    REMOVING = "removing"  # to go where `retain` says
    TRASHED = "trashed"  # in the trash
    RESTORING = "restoring"  # to come back from the trash
    DELETING = "deleting"  # to be deleted


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A place for volumes, as the operator defined it.  Which options there are is its kind's business."""

    TABLE: ClassVar = "Backend"
    UNIQUE: ClassVar = (("name",),)

    id: BackendId
    name: str
    kind: str  # nfs, glusterfs, local, or a third party's
    source: str  # what is mounted: server:/export, a directory
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    created: int = bounded(0, 2**63 - 1, default=0)  # seconds since 1970
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Data that containers mount by name; its row stays until its data has gone.

    `path` is where the data is below the backend's share, whatever the volume is called.  `host` is the only one that
    reaches it, where the backend is each host's own.  `epoch` grows with each change of the place or of the right to
    write: what an older epoch says is void.
    """

    TABLE: ClassVar = "Volume"
    UNIQUE: ClassVar = (("name", "removed"), ("backend", "path"))

    id: VolumeId
    name: str  # as Docker calls it: NAME or TENANT/NAME
    removed: int = bounded(0, 2**63 - 1, default=0)  # when its user removed it, ms since 1970; 0: not removed
    tenant: TenantId = ref("Tenant")
    backend: BackendId = ref("Backend")
    path: str
    host: HostId | None = ref("Host", default=None)
    steward: HostId = ref("Host")  # who brings its state on: the host that was asked last
    state: VolumeState = VolumeState.MAKING
    epoch: int = bounded(1, 2**63 - 1, default=1)
    access: Access = Access.SHARED
    retain: Retain = Retain.TRASH
    size: int | None = bounded(1, 2**63 - 1, default=None)  # bytes; None: as much as there is
    size_by: str | None = None  # what enforces it; None before its data is made, and where nothing does
    sized: int | None = bounded(1, 2**63 - 1, default=None)  # bytes that are enforced now: `size`, when that is done
    problem: str | None = None  # why its state cannot be brought on; None: nothing is known
    uid: int | None = bounded(0, 2**32 - 2, default=None)  # of its top directory; None: as the backend makes it
    gid: int | None = bounded(0, 2**32 - 2, default=None)
    mode: int | None = bounded(0, 0o7777, default=None)
    imported: bool = False  # whether the data was there before the volume
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)  # as the user gave them
    created: int = bounded(0, 2**63 - 1, default=0)  # seconds since 1970
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A container's use of a volume on a host.  `mount` is Docker's id of it, `count` how often it was asked for.

    One of an earlier boot of its host holds nothing.
    """

    TABLE: ClassVar = "Holder"
    UNIQUE: ClassVar = (("volume", "host", "mount"),)

    id: HolderId
    volume: VolumeId = ref("Volume")
    host: HostId = ref("Host")
    mount: str
    count: int = bounded(1, 2**31 - 1, default=1)
    boot: str  # the host's boot id, /proc/sys/kernel/random/boot_id
    confirmed: bool = True  # False: dockerd was started anew since, and its Unmount may never come
    since: int = bounded(0, 2**63 - 1, default=0)  # seconds since 1970


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one host to use a volume of `access=host` or `container`.

    Others judge its age by their own clock, from the last change of `renewals` that they saw.
    """

    TABLE: ClassVar = "Lease"
    UNIQUE: ClassVar = (("volume",),)

    id: LeaseId
    volume: VolumeId = ref("Volume")
    host: HostId = ref("Host")
    epoch: int = bounded(1, 2**63 - 1)  # the volume's when it was taken: the fencing token
    renewals: int = bounded(0, 2**63 - 1, default=0)
    seconds: int = bounded(1, 86400, default=30)  # without a renewal, after which others may take it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A host that lost the lease of `volume` without having given it back, and must not reach the storage server.

    It deletes the record itself, when none of its containers uses the volume any more; until then it gets no new lease.
    """

    TABLE: ClassVar = "Fence"
    UNIQUE: ClassVar = (("volume", "host", "server"),)

    id: FenceId
    volume: VolumeId = ref("Volume")
    host: HostId = ref("Host")
    server: str  # IP address of the storage server; empty where none is known
    epoch: int = bounded(1, 2**63 - 1)  # of the lease that was lost
