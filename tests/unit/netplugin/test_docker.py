"""Docker's API, as a small server on a real Unix socket answers it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemonkit.docker import DockerAway
from netplugin.docker import Docker
from netplugin.forgotten import Known
from tests.engine import Engine, running

NETWORKS: list[dict[str, Any]] = [
    {
        "Name": "bridge",
        "Id": "b1",
        "Driver": "bridge",
        "IPAM": {
            "Driver": "default",
            "Options": None,
            "Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}],
        },
        "Containers": {},
    },
    {"Name": "host", "Id": "h1", "Driver": "host", "IPAM": {"Driver": "default", "Options": None, "Config": None}},
    {"Name": "odd", "Id": "o1", "Driver": "other", "IPAM": {"Config": [{"Subnet": "any"}, {"Gateway": "10.9.0.1"}]}},
    {
        "Name": "web",
        "Id": "w1",
        "Driver": "moorage-net",
        "IPAM": {"Driver": "moorage-net", "Config": [{"Subnet": "10.1.0.7/16"}, {"Subnet": "FD00:0:0::/64"}]},
        "Containers": {},
    },
    {"Name": "db", "Id": "d1", "Driver": "moorage-net", "IPAM": None},
    {
        "Name": "lan",
        "Id": "l1",
        "Driver": "bridge",
        "Scope": "local",
        "IPAM": {
            "Driver": "moorage-net",
            "Config": [
                {"Subnet": "10.3.0.0/24", "AuxiliaryAddresses": {"nas": "10.3.0.7"}},
                {"Subnet": "fd03::/64", "AuxiliaryAddresses": None},
            ],
        },
    },
    {"Name": "far", "Id": "f1", "Driver": "overlay", "Scope": "swarm", "IPAM": {"Driver": "moorage-net"}},
]
DETAILS: dict[str, dict[str, Any]] = {
    "w1": {
        **NETWORKS[3],
        "Containers": {
            "c0ffee": {"Name": "web1", "EndpointID": "e1", "MacAddress": "", "IPv4Address": "10.1.0.2/16"},
            "ep-e2": {"Name": "web2", "EndpointID": "e2"},
        },
    },
    "d1": {"Id": "d1", "Driver": "moorage-net", "Containers": None},
    "l1": {
        **NETWORKS[5],
        "Containers": {
            "c0ffee": {"EndpointID": "e3", "IPv4Address": "10.3.0.2/24", "IPv6Address": "FD03:0::2/64"},
            "facade": {"EndpointID": "e4", "IPv4Address": "", "IPv6Address": ""},
        },
    },
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with running(tmp_path / "docker.sock") as made:
        made.answers = {"/networks": (200, json.dumps(NETWORKS).encode())}
        made.answers |= {f"/networks/{key}": (200, json.dumps(one).encode()) for key, one in DETAILS.items()}
        yield made


@pytest.fixture
def docker(engine: Engine) -> Docker:
    return Docker(f"unix://{engine.server_address!s}")


def test_it_tells_our_networks_with_their_endpoints_and_the_subnets_of_all(docker: Docker) -> None:
    assert Known(
        networks={"w1": frozenset({"e1", "e2"}), "d1": frozenset()},
        subnets=frozenset({"172.17.0.0/16", "any", "", "10.1.0.0/16", "fd00::/64", "10.3.0.0/24", "fd03::/64"}),
        held=dict.fromkeys(("10.3.0.0/24", "fd03::/64"), frozenset({"10.3.0.2", "fd03::2", "10.3.0.7"})),
    ) == docker.known("moorage-net")


def test_only_calls_that_are_safe_beside_ours_are_made(docker: Docker, engine: Engine) -> None:
    docker.known("moorage-net")

    assert [
        (path, "docker") for path in ("/networks", *(f"/networks/{key}" for key in ("w1", "d1", "l1")))
    ] == engine.seen


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"message":"server error"}'),
        (200, b""),
        (200, b"["),
        (200, b'{"message":"no list"}'),
        (200, b"[1]"),
        (200, b'[{"Driver":"bridge"}]'),
        (200, b'[{"Id":"w1","Driver":7}]'),
        (200, b'[{"Id":"w1","IPAM":{"Config":{}}}]'),
        (200, b"\xff"),
    ],
)
def test_from_an_answer_that_is_not_whole_nothing_is_concluded(
    docker: Docker, engine: Engine, status: int, body: bytes
) -> None:
    engine.answers["/networks"] = (status, body)

    with pytest.raises(DockerAway, match="GET /networks: "):
        docker.known("moorage-net")


def test_a_network_that_goes_while_we_look_makes_the_look_void(docker: Docker, engine: Engine) -> None:
    del engine.answers["/networks/d1"]

    with pytest.raises(DockerAway, match="GET /networks/d1: 404"):
        docker.known("moorage-net")


def test_where_no_dockerd_is_nothing_is_concluded(tmp_path: Path) -> None:
    with pytest.raises(DockerAway, match="GET /networks: "):
        Docker(f"unix://{tmp_path}/none.sock").known("moorage-net")
