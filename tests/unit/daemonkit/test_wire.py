import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemonkit.wire import Wire, docker_name

# Every name in the structs of docker/libnetwork: drivers/remote/api, ipams/remote/api; volume/drivers.
NAMES = [
    "Implements",
    "Err",
    "Error",
    "NetworkID",
    "EndpointID",
    "Options",
    "IPv4Data",
    "IPv6Data",
    "AddressSpace",
    "AuxAddresses",
    "Gateway",
    "Pool",
    "Scope",
    "ConnectivityScope",
    "GwAllocChecker",
    "SkipIPv4",
    "SkipIPv6",
    "Interface",
    "Address",
    "AddressIPv6",
    "MacAddress",
    "Value",
    "SandboxKey",
    "InterfaceName",
    "SrcName",
    "DstPrefix",
    "DstName",
    "GatewayIPv6",
    "StaticRoutes",
    "Destination",
    "RouteType",
    "NextHop",
    "DisableGatewayService",
    "DiscoveryType",
    "DiscoveryData",
    "BindAddress",
    "Self",
    "Proto",
    "IP",
    "Port",
    "HostIP",
    "HostPort",
    "HostPortEnd",
    "RequiresMACAddress",
    "RequiresRequestReplay",
    "LocalDefaultAddressSpace",
    "GlobalDefaultAddressSpace",
    "SubPool",
    "V6",
    "PoolID",
    "Data",
    "Name",
    "Opts",
    "Volume",
    "Volumes",
    "Mountpoint",
    "CreatedAt",
    "Status",
    "ID",
    "Capabilities",
]


def ours(docker: str) -> str:
    """Docker's spelling in ours: a new word begins at a capital that follows a small letter or digit, or before one."""
    special = {"IPv4Data": "ipv4_data", "IPv6Data": "ipv6_data", "SkipIPv4": "skip_ipv4", "SkipIPv6": "skip_ipv6"}
    special |= {
        "AddressIPv6": "address_ipv6",
        "GatewayIPv6": "gateway_ipv6",
        "RequiresMACAddress": "requires_mac_address",
    }
    if docker in special:
        return special[docker]
    words = ""
    for before, letter in zip(" " + docker, docker, strict=False):
        words += ("_" if letter.isupper() and before.islower() else "") + letter.lower()
    return words


@pytest.mark.parametrize("docker", NAMES)
def test_every_name_of_the_protocol_has_a_name_of_ours(docker: str) -> None:
    assert docker == docker_name(ours(docker))


@given(st.lists(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True), min_size=1, max_size=4))
def test_a_name_keeps_its_letters(words: list[str]) -> None:
    assert "".join(words) == docker_name("_".join(words)).lower()


class Join(Wire, frozen=True, kw_only=True):
    labels: dict[str, str] | None = None
    endpoint_id: str


def test_unknown_keys_are_ignored_and_null_stands_for_go_s_nil_map() -> None:
    assert Join(endpoint_id="e") == msgspec.json.decode(b'{"EndpointID":"e","New":1,"Labels":null}', type=Join)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"EndpointID":null}', b'{"EndpointID":1}', b'{"endpoint_id":"e"}', b"[]", b"null"]
)
def test_what_is_not_the_message_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=Join)


def test_it_is_written_as_docker_spells_it() -> None:
    assert msgspec.json.encode(Join(endpoint_id="e")) == b'{"Labels":null,"EndpointID":"e"}'
