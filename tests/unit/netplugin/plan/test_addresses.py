import dataclasses
import ipaddress
import uuid
from collections.abc import Iterable

import pytest

from netplugin.plan.addresses import PoolExhausted, block_prefix, first_free, next_free, take, taken, usable
from records.memory import MemoryStore
from records.model import Host, HostId, Space, SpaceId, Subnet, SubnetId, Use
from records.writes import Delete, Insert

HOSTS = [Host(id=HostId(uuid.uuid4()), name=name) for name in ("a", "b")]
A, B = (host.id for host in HOSTS)


class Pool:
    """One subnet in a store, to take addresses from and give them back."""

    def __init__(self, cidr: str, within: str | None = None) -> None:
        space = Space(id=SpaceId(uuid.uuid4()), name="host/a")
        self.subnet = Subnet(
            id=SubnetId(uuid.uuid4()),
            space=space.id,
            cidr=ipaddress.ip_network(cidr),
            range=ipaddress.ip_network(within) if within else None,
        )
        self.store = MemoryStore()
        self.store.commit([*map(Insert, HOSTS), Insert(space), Insert(self.subnet)])

    def next(self, host: HostId = A) -> str:
        ip, writes = next_free(self.store.snapshot(), self.subnet, host)
        self.store.commit([*writes, take(self.subnet, ip, Use.ENDPOINT, host)])
        return str(ip)

    def several(self, count: int, host: HostId = A) -> list[str]:
        return [self.next(host) for _ in range(count)]

    def first(self) -> str:
        ip = first_free(self.store.snapshot(), self.subnet)
        self.hold(str(ip), Use.GATEWAY)
        return str(ip)

    def hold(self, ip: str, use: Use = Use.AUXILIARY) -> None:
        self.store.commit([take(self.subnet, ipaddress.ip_address(ip), use, A)])

    def free(self, ips: Iterable[str]) -> None:
        for ip in ips:
            held = taken(self.store.snapshot(), self.subnet, ipaddress.ip_address(ip))
            assert held is not None
            self.store.commit([Delete(held)])

    def blocks(self, host: HostId = A) -> list[tuple[str, str]]:
        found = [block for block in self.store.snapshot().blocks if block.host == host]
        return [(str(b.cidr), str(b.last)) for b in sorted(found, key=lambda b: int(b.cidr[0]))]


@pytest.mark.parametrize(
    ("cidr", "prefix"),
    [
        ("10.0.0.0/8", 26),
        ("10.1.0.0/16", 26),
        ("10.1.0.0/22", 26),
        ("10.1.0.0/24", 28),
        ("10.1.0.0/26", 30),
        ("10.1.0.0/29", 30),
        ("10.1.0.0/30", 30),
        ("10.1.0.0/31", 31),
        ("10.1.0.0/32", 32),
        ("fd00::/48", 120),
        ("fd00::/64", 120),
        ("fd00::/120", 124),
        ("fd00::/125", 126),
        ("fd00::/127", 127),
        ("fd00::/128", 128),
    ],
)
def test_the_size_of_a_block_goes_by_the_subnets(cidr: str, prefix: int) -> None:
    assert prefix == block_prefix(ipaddress.ip_network(cidr))


@pytest.mark.parametrize(
    ("cidr", "not_usable"),
    [
        ("10.1.0.0/29", ["10.1.0.0", "10.1.0.7"]),
        ("10.1.0.0/30", ["10.1.0.0", "10.1.0.3"]),
        ("10.1.0.0/31", []),
        ("10.1.0.9/32", []),
        ("fd00::/125", ["fd00::"]),
        ("fd00::/127", []),
        ("fd00::1/128", []),
    ],
)
def test_the_addresses_of_network_broadcast_and_routers_are_nobodys(cidr: str, not_usable: list[str]) -> None:
    subnet = ipaddress.ip_network(cidr)

    assert not_usable == [str(ip) for ip in subnet if not usable(subnet, ip)]


def test_an_address_outside_is_not_usable_nor_one_of_the_other_family() -> None:
    subnet = ipaddress.ip_network("10.1.0.0/24")

    assert not usable(subnet, ipaddress.ip_address("10.1.1.1"))
    assert not usable(subnet, ipaddress.ip_address("fd00::1"))


def test_the_gateway_is_the_lowest_free_address() -> None:
    pool = Pool("10.1.0.0/24")
    pool.hold("10.1.0.1")

    assert "10.1.0.2" == pool.first()


def test_a_subnet_without_a_free_address_has_none_for_a_gateway() -> None:
    pool = Pool("10.1.0.0/32")

    assert "10.1.0.0" == pool.first()
    with pytest.raises(PoolExhausted):
        pool.first()


def test_the_next_address_follows_the_last_one() -> None:
    pool = Pool("10.1.0.0/24")
    pool.first()

    assert ["10.1.0.2", "10.1.0.3", "10.1.0.4"] == pool.several(3)


def test_a_freed_address_rests_until_the_others_of_the_block_have_been_handed_out() -> None:
    pool = Pool("10.1.0.0/24")
    pool.first()
    pool.several(2)  # .2 and .3

    pool.free(["10.1.0.2", "10.1.0.3"])

    assert [f"10.1.0.{n}" for n in [*range(4, 16), 2, 3, 16]] == pool.several(15)


def test_one_address_taken_and_given_back_for_ever_goes_round_the_block() -> None:
    pool = Pool("10.1.0.0/24")
    seen = []
    for _ in range(16):
        seen.append(pool.next())
        pool.free(seen[-1:])

    assert [f"10.1.0.{n}" for n in [*range(1, 16), 1]] == seen
    assert [("10.1.0.0/28", "10.1.0.1")] == pool.blocks()


def test_addresses_that_are_held_are_passed_over() -> None:
    pool = Pool("10.1.0.0/29")
    pool.hold("10.1.0.2")
    pool.hold("10.1.0.3")

    assert ["10.1.0.1", "10.1.0.4"] == pool.several(2)


def test_a_host_whose_block_is_full_takes_another_and_only_one_has_a_last_address() -> None:
    pool = Pool("10.1.0.0/26")

    assert [f"10.1.0.{n}" for n in range(1, 6)] == pool.several(5)
    assert [("10.1.0.0/30", "None"), ("10.1.0.4/30", "10.1.0.5")] == pool.blocks()


def test_before_it_takes_another_it_goes_round_its_own_blocks() -> None:
    pool = Pool("10.1.0.0/26")
    pool.several(7)  # .1 to .7: two full blocks

    pool.free(["10.1.0.2", "10.1.0.5"])

    assert ["10.1.0.2", "10.1.0.5", "10.1.0.8"] == pool.several(3)
    assert [("10.1.0.0/30", "None"), ("10.1.0.4/30", "None"), ("10.1.0.8/30", "10.1.0.8")] == pool.blocks()


def test_two_hosts_hand_out_of_blocks_of_their_own() -> None:
    pool = Pool("10.1.0.0/24")

    mixed = [pool.next(host) for host in (A, B, A, B)]

    assert ["10.1.0.1", "10.1.0.16", "10.1.0.2", "10.1.0.17"] == mixed
    assert ([("10.1.0.0/28", "10.1.0.2")], [("10.1.0.16/28", "10.1.0.17")]) == (pool.blocks(A), pool.blocks(B))


def test_when_no_block_is_left_a_host_takes_any_free_address_of_anothers() -> None:
    pool = Pool("10.1.0.0/29")  # two blocks: .1 to .3, .4 to .6
    pool.next(A)
    pool.next(B)

    assert ["10.1.0.2", "10.1.0.3", "10.1.0.5", "10.1.0.6"] == pool.several(4, A)
    assert [("10.1.0.4/30", "10.1.0.4")] == pool.blocks(B)
    with pytest.raises(PoolExhausted):
        pool.next(A)


@pytest.mark.parametrize(
    ("cidr", "all_of_it"),
    [
        ("10.1.0.0/30", ["10.1.0.1", "10.1.0.2"]),
        ("10.1.0.0/31", ["10.1.0.0", "10.1.0.1"]),
        ("10.1.0.9/32", ["10.1.0.9"]),
        ("fd00::/126", ["fd00::1", "fd00::2", "fd00::3"]),
        ("fd00::/127", ["fd00::", "fd00::1"]),
        ("fd00::5/128", ["fd00::5"]),
    ],
)
def test_the_smallest_subnets_are_used_to_the_last_address(cidr: str, all_of_it: list[str]) -> None:
    pool = Pool(cidr)

    assert all_of_it == pool.several(len(all_of_it))
    with pytest.raises(PoolExhausted):
        pool.next()


def test_a_large_ipv6_subnet_starts_at_its_beginning_at_once() -> None:
    assert ["fd00::1", "fd00::2"] == Pool("fd00::/64").several(2)


@pytest.mark.parametrize(
    ("within", "first", "count"),
    [
        ("10.1.0.128/25", "10.1.0.128", 127),  # several blocks; the broadcast address lies in it
        ("10.1.0.16/28", "10.1.0.16", 16),  # one block
        ("10.1.0.20/30", "10.1.0.20", 4),  # a part of a block
        ("10.1.0.77/32", "10.1.0.77", 1),
    ],
)
def test_a_range_limits_what_is_handed_out(within: str, first: str, count: int) -> None:
    pool = Pool("10.1.0.0/24", within)
    pool.first()

    found = pool.several(count)

    assert first == found[0]
    assert all(ipaddress.ip_address(ip) in ipaddress.ip_network(within) for ip in found)
    with pytest.raises(PoolExhausted):
        pool.next()


def test_two_hosts_share_a_range_of_less_than_a_block() -> None:
    pool = Pool("10.1.0.0/24", "10.1.0.20/30")

    assert ["10.1.0.20", "10.1.0.21"] == [pool.next(A), pool.next(B)]
    assert [] == pool.blocks(B)


def test_a_block_without_a_free_address_in_the_range_is_not_taken() -> None:
    pool = Pool("10.1.0.0/24", "10.1.0.0/27")
    for last in range(1, 16):
        pool.hold(f"10.1.0.{last}")

    assert "10.1.0.16" == pool.next()
    assert [("10.1.0.16/28", "10.1.0.16")] == pool.blocks()


def test_what_is_decided_does_not_change_the_records() -> None:
    pool = Pool("10.1.0.0/24")
    before = pool.store.snapshot()

    assert next_free(before, pool.subnet, A)[0] == next_free(before, pool.subnet, A)[0]
    assert dataclasses.asdict(pool.subnet) == dataclasses.asdict(before.subnets.get(pool.subnet.id))  # type: ignore[arg-type]
