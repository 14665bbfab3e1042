import ipaddress

import pytest

from cli.tracing.sockets import listens

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = (
    "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
    "   1: 0B004D0A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
    "   2: 0B004D0A:0016 0900CB71:D431 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
)
TCP6 = (
    "   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1 1 0 1 0\n"
    "   1: 0000000000000000FFFF00000B004D0A:0015 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1 1 0 1 0\n"
)


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("10.77.0.11", 80, True),  # bound to all
        ("10.77.0.11", 8080, True),
        ("10.77.0.12", 8080, False),
        ("10.77.0.11", 22, False),  # a connection, nobody who listens
        ("10.77.0.11", 443, None),  # an IPv6 socket may take IPv4 too
        ("10.77.0.11", 21, True),
        ("fd00::1", 443, True),
        ("fd00::1", 80, False),
    ],
)
def test_a_socket_is_found_by_address_and_port(address: str, port: int, *, expected: bool | None) -> None:
    assert expected is listens([HEAD + TCP, HEAD + TCP6], "tcp", ipaddress.ip_address(address), port)


def test_udp_sockets_have_another_state() -> None:
    text = HEAD + "   0: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000  0  0 1 2 0 0\n"

    assert listens([text], "udp", ipaddress.ip_address("10.1.0.1"), 53)
    assert not listens([text], "tcp", ipaddress.ip_address("10.1.0.1"), 53)
