import dataclasses
import ipaddress
import uuid

import pytest

from cli.ports import Known, NotPublished, container_named, lines, of_container, plain, published
from records.model import Protocol, Published, PublishedId
from records.snapshot import Records
from tests.host import HOST, OTHER, W1, W2, W3, records


def row(
    endpoint: object, port: int, host_port: int, ip: str = "0.0.0.0", protocol: Protocol = Protocol.TCP
) -> Published:
    return Published(
        id=PublishedId(uuid.uuid4()),
        endpoint=endpoint.id,  # type: ignore[attr-defined]
        host=HOST.id,
        protocol=protocol,
        host_ip=ipaddress.ip_address(ip),
        host_port=host_port,
        port=port,
    )


ROWS = [
    row(W1, 80, 8080, "::"),
    row(W1, 80, 8080),
    row(W1, 53, 5353, "127.0.0.1", Protocol.UDP),
    row(W2, 80, 8081),
    row(W3, 80, 8082),
]
ONE, TWO = Known("abc1", "one", frozenset({W1.docker_id, "x"})), Known("abc2", "two", frozenset({W2.docker_id}))


def all_records() -> Records:
    return records().replaced((None, one) for one in ROWS)


def test_ports_are_told_as_docker_port_tells_them() -> None:
    found = of_container(published(all_records(), HOST, [ONE, TWO]), ONE, None)

    assert [
        "53/udp -> 127.0.0.1:5353",
        "80/tcp -> 0.0.0.0:8080",
        "80/tcp -> [::]:8080",
    ] == lines(found, container=True, asked=False)


@pytest.mark.parametrize(
    ("asked", "expected"), [("80", ["0.0.0.0:8080", "[::]:8080"]), ("80/tcp", None), ("53/udp", ["127.0.0.1:5353"])]
)
def test_of_one_port_only_where_it_is(asked: str, expected: list[str] | None) -> None:
    found = of_container(published(all_records(), HOST, [ONE]), ONE, asked)

    assert (expected or ["0.0.0.0:8080", "[::]:8080"]) == lines(found, container=True, asked=True)


def test_of_all_containers_with_their_names_or_else_their_addresses() -> None:
    found = lines(published(all_records(), HOST, [ONE, TWO]), container=False, asked=False)

    assert ["10.1.0.13 80/tcp -> 0.0.0.0:8082", "one 53/udp -> 127.0.0.1:5353"] == found[:2]
    assert "two 80/tcp -> 0.0.0.0:8081" == found[-1]


def test_ports_of_another_host_are_not_this_ones() -> None:
    assert [] == published(all_records(), OTHER, [ONE])


@pytest.mark.parametrize("asked", ["53", "80/udp", "81"])
def test_a_port_that_is_not_published_is_said_to_be_none(asked: str) -> None:
    with pytest.raises(NotPublished, match=r"port [0-9]+/(tcp|udp) of one is not published"):
        of_container(published(all_records(), HOST, [ONE]), ONE, asked)


@pytest.mark.parametrize("asked", ["0", "65536", "80/icmp", "http", "", "80/", "-1", "8 0"])
def test_what_is_no_port_is_wrong_usage(asked: str) -> None:
    with pytest.raises(ValueError, match="is no port: expected 80 or 53/udp"):
        of_container([], ONE, asked)


def test_a_container_is_known_by_name_by_id_and_by_the_beginning_of_an_id() -> None:
    assert ONE == container_named("one", [ONE, TWO]) == container_named("abc1", [ONE, TWO])
    assert TWO == container_named("ab", [TWO])
    with pytest.raises(NotPublished, match="several containers have ids that begin with abc"):
        container_named("abc", [ONE, TWO])
    for name in ("three", ""):
        with pytest.raises(NotPublished, match="no such container"):
            container_named(name, [ONE, TWO])


def test_programs_get_every_field() -> None:
    (one,) = plain(of_container(published(all_records(), HOST, [TWO]), TWO, None))

    assert {
        "container": "two",
        "address": "10.1.0.12",
        "port": 80,
        "protocol": "tcp",
        "host_ip": "0.0.0.0",
        "host_port": 8081,
        "endpoint": W2.docker_id,
    } == one


def test_a_row_whose_endpoint_has_not_arrived_is_left_out() -> None:
    stray = row(dataclasses.replace(W1, id=uuid.uuid4()), 80, 9000)  # type: ignore[arg-type]

    assert [] == published(records().replaced([(None, stray)]), HOST, [])
