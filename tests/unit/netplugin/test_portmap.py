import ipaddress
from typing import Any

import pytest

from daemonkit.errors import BadRequest
from netplugin.portmap import Asked, parse
from records.model import Protocol
from tests.plugin import port

V4, V6 = ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1")


def parsed(*bindings: Any) -> tuple[Asked, ...]:
    return parse({"com.docker.network.portmap": list(bindings)})


@pytest.mark.parametrize(
    "options", [None, {}, {"com.docker.network.portmap": None}, {"com.docker.network.portmap": []}]
)
def test_there_may_be_none(options: dict[str, Any] | None) -> None:
    assert () == parse(options)


@pytest.mark.parametrize(
    ("binding", "expected", "spelled"),
    [
        (port(80, 8080), Asked(Protocol.TCP, 80, None, 8080, 8080), "8080:80/tcp"),
        (port(53, 53, protocol=17), Asked(Protocol.UDP, 53, None, 53, 53), "53:53/udp"),
        (port(9, 9, protocol=132), Asked(Protocol.SCTP, 9, None, 9, 9), "9:9/sctp"),
        (port(80), Asked(Protocol.TCP, 80, None, 0, 0), ":80/tcp"),
        (port(80, 8000, 8010), Asked(Protocol.TCP, 80, None, 8000, 8010), "8000-8010:80/tcp"),
        (port(80, 80, ip="127.0.0.1"), Asked(Protocol.TCP, 80, V4, 80, 80), "127.0.0.1:80:80/tcp"),
        (port(80, 80, ip="::1"), Asked(Protocol.TCP, 80, V6, 80, 80), "[::1]:80:80/tcp"),
        ({"Proto": 6, "Port": 80, "Later": "key"}, Asked(Protocol.TCP, 80, None, 0, 0), ":80/tcp"),
    ],
)
def test_what_docker_sends_is_what_the_user_typed(binding: dict[str, Any], expected: Asked, spelled: str) -> None:
    assert (expected,) == parsed(binding)
    assert spelled == str(expected)


def test_a_port_asked_for_twice_is_one() -> None:
    assert 1 == len(parsed(port(80, 8080), port(80, 8080)))


@pytest.mark.parametrize(
    ("binding", "text"),
    [
        (port(80, 80, protocol=1), "ports of IP protocol 1 cannot be published: expected tcp, udp or sctp"),
        (port(0, 80), "container port 0 is none"),
        (port(65536, 80), "container port 65536 is none"),
        (port(80, 65536), "host port 65536-65536 is none"),
        (port(80, 9000, 8000), "host port 9000-8000 is none"),
        (port(80, -1), "host port -1--1 is none"),
        ({"Proto": 6, "Port": 80, "HostPort": 0, "HostPortEnd": 9}, "host port 0-9 is none"),
        (port(80, 80, ip="web"), "'web' is not an address"),
        (port(80, 80, ip="fe80::1%eth0"), "global, unique local or loopback"),
        (port(80, 80, ip="fe80::1"), "global, unique local or loopback"),
        (port(80, 80, ip="::ffff:10.0.0.1"), "global, unique local or loopback"),
        (port(80, 80, ip="224.0.0.1"), "is a group address"),
        ({"Proto": "tcp", "Port": 80}, "Expected `int`, got `str` - at `$[0].Proto`"),
        ({"Port": 80}, "missing required field `Proto`"),
        (7, "Expected `object`, got `int`"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(binding: Any, text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parsed(binding)
    assert text in str(caught.value)


def test_a_map_that_is_none_is_refused() -> None:
    with pytest.raises(BadRequest, match="Expected `array`"):
        parse({"com.docker.network.portmap": "80:80"})
