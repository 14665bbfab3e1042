from ipaddress import ip_address

import pytest

from netplugin.plan.connections import Connections, Destination, Tracked, stray
from netplugin.plan.reservations import Reservations, reservation_key
from records.model import Protocol
from tests.plugin import endpoint_id, plugin, port

OWN = frozenset(map(ip_address, ("10.77.0.11", "10.1.0.1", "fd77::11")))
ANY = Destination(Protocol.UDP, ip_address("0.0.0.0"), 53, ip_address("10.1.0.11"), 5353)
ONE = Destination(Protocol.UDP, ip_address("10.77.0.11"), 53, ip_address("10.1.0.11"), 5353)


def tracked(asked: str, answers: str, to: int = 53) -> Tracked:
    ip, _, number = answers.rpartition(":")
    return Tracked(ip_address(asked), to, (ip_address(ip), int(number)))


@pytest.mark.parametrize(
    ("at", "connection", "while_published", "afterwards"),
    [
        (ANY, tracked("10.77.0.11", "10.1.0.11:5353"), False, True),  # where it belongs
        (ANY, tracked("10.77.0.11", "10.1.0.99:5353"), True, False),  # to the container that had the port before
        (ANY, tracked("10.77.0.11", "10.1.0.11:53"), True, False),  # to another port of it
        (ANY, tracked("10.77.0.11", "10.77.0.11:53"), True, False),  # from before it was published
        (ANY, tracked("127.0.0.1", "127.0.0.1:53"), True, False),
        (ANY, tracked("10.77.0.11", "10.1.0.99:5353", 54), False, False),  # to another port
        (ANY, tracked("10.77.0.11", "10.1.0.11:5353", 54), False, False),
        (ANY, tracked("8.8.8.8", "8.8.8.8:53"), False, False),  # to another machine
        (ONE, tracked("10.1.0.1", "10.1.0.1:53"), False, False),  # to an address that is not the published one
        (ONE, tracked("10.77.0.11", "10.77.0.11:53"), True, False),
    ],
)
def test_what_does_not_lead_where_the_port_does_is_astray(
    at: Destination, connection: Tracked, *, while_published: bool, afterwards: bool
) -> None:
    assert while_published == stray(connection, at, OWN, published=True)
    assert afterwards == stray(connection, at, OWN, published=False)


def test_a_published_port_has_a_reservation_and_where_it_is_due_a_destination_of_one_key() -> None:
    with plugin() as host:
        host.network(cidrs=["10.1.0.0/24", "fd00::/64"])
        made = endpoint_id(1)
        dual = {"Address": "10.1.0.11/24", "AddressIPv6": "fd00::11/64", "MacAddress": ""}
        host.call("NetworkDriver.CreateEndpoint", NetworkID="ab" * 32, EndpointID=made, Interface=dual, Options={})
        host.publish(made, port(80, 8080), port(9, 9, protocol=132))
        records = host.records

    keys = {"tcp/0.0.0.0/8080", "tcp/::/8080", "sctp/0.0.0.0/9", "sctp/::/9"}
    assert keys == set(Reservations("a").keys(records))
    assert {key for key in keys if "tcp" not in key} == set(Connections("a").keys(records))
    for row in records.published:
        key = reservation_key(row)
        held, at = Reservations("a").want(records, key), Connections("a").want(records, key)
        own = ip_address("10.1.0.11" if row.host_ip.version == 4 else "fd00::11")
        relayed = (own, row.port) if row.host_ip == ip_address("::") and row.protocol is Protocol.TCP else None

        assert held is not None
        assert (row.protocol, row.host_ip, row.host_port, relayed) == (held.protocol, held.ip, held.port, held.relayed)
        tcp = row.protocol is Protocol.TCP  # its clients notice by themselves
        assert at == (None if tcp else Destination(row.protocol, row.host_ip, row.host_port, own, row.port))
    assert Reservations("b").want(records, key) is None
    assert Connections("b").want(records, key) is None
