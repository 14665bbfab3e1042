"""The records: what the cluster should be, as frozen values; not how they are stored or made true.

Each class is one table of the schema (`moorage.ovsschema`), each field one column of the same name.  `id` is the row's
UUID, chosen by whoever makes the record, so that records of one commit may refer to each other.  A field made by `ref`
refers to a row of that table: the database refuses to delete a row that is referred to; one made by `bounded` is
refused outside its bounds.  `UNIQUE` lists the columns that no two rows may share: the database refuses the second,
whoever races.
"""

from __future__ import annotations

from typing import TypeAlias

from records.model.cluster import (
    DEFAULT_TENANT,
    Host,
    HostId,
    Tenant,
    TenantId,
)
from records.model.fields import (
    bounded,
    ref,
)
from records.model.networks import (
    GATEWAY_MAC,
    GATEWAY_PORT,
    LINK,
    Address,
    AddressId,
    Block,
    BlockId,
    DockerNetwork,
    DockerNetworkId,
    Endpoint,
    EndpointId,
    Gateway,
    IpAddress,
    IpInterface,
    IpNetwork,
    Isolation,
    Kind,
    Network,
    NetworkId,
    Protocol,
    Published,
    PublishedId,
    Space,
    SpaceId,
    Subnet,
    SubnetId,
    Uplink,
    UplinkId,
    Use,
    Vrf,
    VrfId,
    gateway_port,
)
from records.model.volumes import (
    Access,
    Backend,
    BackendId,
    Fence,
    FenceId,
    Holder,
    HolderId,
    Lease,
    LeaseId,
    Retain,
    Volume,
    VolumeId,
    VolumeState,
)

__all__ = [
    "DEFAULT_TENANT",
    "GATEWAY_MAC",
    "GATEWAY_PORT",
    "LINK",
    "RECORDS",
    "Access",
    "Address",
    "AddressId",
    "Backend",
    "BackendId",
    "Block",
    "BlockId",
    "DockerNetwork",
    "DockerNetworkId",
    "Endpoint",
    "EndpointId",
    "Fence",
    "FenceId",
    "Gateway",
    "Holder",
    "HolderId",
    "Host",
    "HostId",
    "IpAddress",
    "IpInterface",
    "IpNetwork",
    "Isolation",
    "Kind",
    "Lease",
    "LeaseId",
    "Network",
    "NetworkId",
    "Protocol",
    "Published",
    "PublishedId",
    "Record",
    "Retain",
    "Space",
    "SpaceId",
    "Subnet",
    "SubnetId",
    "Tenant",
    "TenantId",
    "Uplink",
    "UplinkId",
    "Use",
    "Volume",
    "VolumeId",
    "VolumeState",
    "Vrf",
    "VrfId",
    "bounded",
    "gateway_port",
    "ref",
]

Record: TypeAlias = (
    Host | Tenant | Network | Space | Subnet | Block | Address | Vrf | Uplink | DockerNetwork | Endpoint | Published
    | Backend | Volume | Holder | Lease | Fence
)  # fmt: skip
RECORDS: tuple[type[Record], ...] = (
    Host,
    Tenant,
    Network,
    Space,
    Subnet,
    Block,
    Address,
    Vrf,
    Uplink,
    DockerNetwork,
    Endpoint,
    Published,
    Backend,
    Volume,
    Holder,
    Lease,
    Fence,
)
