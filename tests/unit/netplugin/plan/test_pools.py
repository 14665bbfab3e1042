import dataclasses
import ipaddress
import uuid

import pytest

from netplugin.plan.pools import DEFAULT_POOLS, free_pool, overlapping, unique_local
from records.memory import MemoryStore
from records.model import Space, SpaceId, Subnet, SubnetId
from records.snapshot import Records
from records.writes import Insert

SPACE = Space(id=SpaceId(uuid.uuid4()), name="host/a")


def records(*cidrs: str, space: Space = SPACE) -> Records:
    subnets = [Subnet(id=SubnetId(uuid.uuid4()), space=space.id, cidr=ipaddress.ip_network(cidr)) for cidr in cidrs]
    return MemoryStore().commit([Insert(space), *map(Insert, subnets)])


@pytest.mark.parametrize(
    ("there", "asked", "overlaps"),
    [
        ("10.1.0.0/16", "10.1.2.0/24", True),
        ("10.1.2.0/24", "10.1.0.0/16", True),
        ("10.1.0.0/16", "10.1.0.0/16", True),
        ("10.1.0.0/16", "10.2.0.0/16", False),
        ("10.1.0.0/31", "10.1.0.2/31", False),
        ("fd00::/64", "fd00::/48", True),
        ("fd00::/64", "fd00:0:0:1::/64", False),
        ("0.0.0.0/0", "::/0", False),
        ("::/0", "10.0.0.0/8", False),
    ],
)
def test_subnets_of_a_space_share_no_address(there: str, asked: str, *, overlaps: bool) -> None:
    found = overlapping(records(there), SPACE, ipaddress.ip_network(asked))

    assert ([ipaddress.ip_network(there)] if overlaps else []) == ([found.cidr] if found else [])


def test_subnets_of_another_space_are_no_obstacle() -> None:
    other = dataclasses.replace(SPACE, id=SpaceId(uuid.uuid4()), name="host/b")

    assert overlapping(records("10.1.0.0/16", space=other), SPACE, ipaddress.ip_network("10.1.0.0/16")) is None


def test_the_first_default_pool_is_private_and_apart_from_dockers_own() -> None:
    found = free_pool(records(), SPACE, v6=False)

    assert ipaddress.ip_network("10.192.0.0/20") == found
    assert not DEFAULT_POOLS.overlaps(ipaddress.ip_network("172.16.0.0/12"))
    assert not DEFAULT_POOLS.overlaps(ipaddress.ip_network("192.168.0.0/16"))


def test_a_default_pool_that_any_subnet_overlaps_is_passed_over() -> None:
    taken = records("10.192.0.0/20", "10.192.17.0/24", "10.192.40.0/30")

    assert ipaddress.ip_network("10.192.48.0/20") == free_pool(taken, SPACE, v6=False)


def test_when_every_default_pool_is_taken_there_is_none() -> None:
    assert free_pool(records("10.192.0.0/10"), SPACE, v6=False) is None


def test_default_ipv6_pools_are_unique_local_and_the_spaces_own() -> None:
    first = next(unique_local("host/a"))
    other = next(unique_local("host/b"))

    assert first == next(unique_local("host/a"))
    assert first != other
    assert 64 == first.prefixlen
    assert first.subnet_of(ipaddress.IPv6Network("fd00::/8"))
    assert first == free_pool(records("10.192.0.0/20"), SPACE, v6=True)
    second = free_pool(records(str(first)), SPACE, v6=True)
    assert second is not None
    assert first.supernet(new_prefix=48) == second.supernet(new_prefix=48)
