"""Who listens: what Linux tells of sockets in /proc/net (proc(5)), read for one address and port; pure."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable, Iterator

from records.model import IpAddress

FILES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}  # of the protocols whose sockets are told there
_ANY6 = ipaddress.IPv6Address(0)
LISTENING = {"tcp": "0A", "udp": "07"}  # TCP_LISTEN; TCP_CLOSE, which stands for an unconnected UDP socket


def listens(tables: Iterable[str], protocol: str, address: IpAddress, port: int) -> bool:
    """Say whether a socket takes what comes to an address and port; `tables` are the texts of FILES."""
    mine = {address, ipaddress.IPv4Address(0) if address.version == 4 else _ANY6}
    if address.version == 4:
        mine |= {_ANY6, ipaddress.ip_address(f"::ffff:{address}")}  # sockets of both families
    return any(at in mine and number == port for text in tables for at, number in _bound(text, LISTENING[protocol]))


def _bound(text: str, state: str) -> Iterator[tuple[IpAddress, int]]:
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 3 and words[3] == state:
            address, _, port = words[1].partition(":")
            yield _address(address), int(port, 16)


def _address(digits: str) -> IpAddress:
    """Return an address that is written as words of 32 bits in the machine's own order."""
    raw = bytes.fromhex(digits)
    if sys.byteorder == "big":
        return ipaddress.ip_address(raw)
    return ipaddress.ip_address(b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4)))
