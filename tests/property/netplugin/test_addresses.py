"""Addresses are handed out once, to the last one, whatever the subnet, its range and its hosts."""

import ipaddress
import uuid

from hypothesis import given
from hypothesis import strategies as st

from netplugin.plan.addresses import PoolExhausted, next_free, take, taken, usable
from records.memory import MemoryStore
from records.model import Host, HostId, IpAddress, IpNetwork, Space, SpaceId, Subnet, SubnetId, Use
from records.writes import Delete, Insert

HOSTS = [Host(id=HostId(uuid.uuid4()), name=name) for name in ("a", "b", "c")]
SMALL = st.one_of(
    st.builds(lambda n: ipaddress.ip_network(("10.1.0.0", n)), st.integers(26, 32)),
    st.builds(lambda n: ipaddress.ip_network(("fd00::", n)), st.integers(122, 128)),
)


@st.composite
def subnets(draw: st.DrawFn) -> tuple[IpNetwork, IpNetwork | None]:
    """Return a small subnet, and maybe a range in it."""
    cidr = draw(SMALL)
    if not draw(st.booleans()):
        return cidr, None
    length = draw(st.integers(cidr.prefixlen, cidr.max_prefixlen))
    return cidr, ipaddress.ip_network(str(draw(st.sampled_from(list(cidr.subnets(new_prefix=length))))))


@given(subnets(), st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=90))
def test_an_address_is_handed_out_once_and_all_are_before_the_subnet_is_full(
    of: tuple[IpNetwork, IpNetwork | None], steps: list[tuple[int, bool]]
) -> None:
    cidr, within = of
    space = Space(id=SpaceId(uuid.uuid4()), name="s")
    subnet = Subnet(id=SubnetId(uuid.uuid4()), space=space.id, cidr=cidr, range=within)
    store = MemoryStore()
    store.commit([*map(Insert, HOSTS), Insert(space), Insert(subnet)])
    everything = {ip for ip in within or cidr if usable(cidr, ip)}
    held: list[IpAddress] = []

    for host, back in steps:
        if back and held:
            gone = taken(store.snapshot(), subnet, held.pop(0))
            assert gone is not None
            store.commit([Delete(gone)])
            continue
        try:
            ip, writes = next_free(store.snapshot(), subnet, HOSTS[host].id)
        except PoolExhausted:
            assert everything == set(held)
            continue
        store.commit([*writes, take(subnet, ip, Use.ENDPOINT, HOSTS[host].id)])  # a second taker would be refused
        assert ip in everything
        held.append(ip)
