"""Docker's network and IPAM protocol as values: what each call carries and what it answers.

Source: moby `libnetwork/drivers/remote/api/api.go` and `libnetwork/ipams/remote/api/api.go` (20.10 to 29).
Go's empty values mean "not given"; absent, null and empty are the same to it, so they are to us.
"""

from __future__ import annotations

from typing import Any

from daemonkit.wire import Wire

GENERIC = "com.docker.network.generic"  # all `-o key=value` of `docker network create`
INTERNAL = "com.docker.network.internal"
PORTMAP = "com.docker.network.portmap"
GATEWAY_REQUEST = "com.docker.network.gateway"  # value of RequestAddressType
REQUEST_ADDRESS_TYPE = "RequestAddressType"


class IPAMData(Wire, frozen=True, kw_only=True):
    """One subnet of a network: as Docker's IPAM driver, or ours, gave it."""

    address_space: str = ""
    pool: str = ""
    gateway: str = ""
    aux_addresses: dict[str, str] | None = None


class CreateNetwork(Wire, frozen=True, kw_only=True):
    network_id: str
    options: dict[str, Any] | None = None
    ipv4_data: list[IPAMData] | None = None
    ipv6_data: list[IPAMData] | None = None


class AllocateNetwork(Wire, frozen=True, kw_only=True):
    network_id: str
    options: dict[str, Any] | None = None


class GwAllocCheck(Wire, frozen=True, kw_only=True):
    options: dict[str, Any] | None = None


class NetworkOnly(Wire, frozen=True, kw_only=True):
    """Body of DeleteNetwork and FreeNetwork."""

    network_id: str


class Interface(Wire, frozen=True, kw_only=True):
    address: str = ""
    address_ipv6: str = ""
    mac_address: str = ""


class CreateEndpoint(Wire, frozen=True, kw_only=True):
    network_id: str
    endpoint_id: str
    interface: Interface | None = None
    options: dict[str, Any] | None = None


class EndpointOnly(Wire, frozen=True, kw_only=True):
    """Body of DeleteEndpoint, EndpointOperInfo, Leave and RevokeExternalConnectivity."""

    network_id: str
    endpoint_id: str


class ProgramExternalConnectivity(Wire, frozen=True, kw_only=True):
    network_id: str
    endpoint_id: str
    options: dict[str, Any] | None = None


class Join(Wire, frozen=True, kw_only=True):
    network_id: str
    endpoint_id: str
    sandbox_key: str = ""
    options: dict[str, Any] | None = None


class InterfaceName(Wire, frozen=True, kw_only=True):
    src_name: str
    dst_prefix: str


class JoinReply(Wire, frozen=True, kw_only=True, omit_defaults=True):
    interface_name: InterfaceName
    gateway: str = ""
    gateway_ipv6: str = ""
    disable_gateway_service: bool = False


class Discovery(Wire, frozen=True, kw_only=True):
    discovery_type: int = 0
    discovery_data: Any = None


class RequestPool(Wire, frozen=True, kw_only=True):
    address_space: str = ""
    pool: str = ""
    sub_pool: str = ""
    options: dict[str, str] | None = None
    v6: bool = False


class ReleasePool(Wire, frozen=True, kw_only=True):
    pool_id: str


class RequestAddress(Wire, frozen=True, kw_only=True):
    pool_id: str
    address: str = ""
    options: dict[str, str] | None = None


class ReleaseAddress(Wire, frozen=True, kw_only=True):
    pool_id: str
    address: str = ""
