"""Who listens: what Linux tells of sockets in /proc/net (proc(5)), read for one address and port; pure."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable, Iterator

from records.model import IpAddress

FILES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}  # of the protocols whose sockets are told there
ANY6 = ipaddress.IPv6Address(0)
LISTENING = {"tcp": "0A", "udp": "07"}  # TCP_LISTEN; TCP_CLOSE, which stands for an unconnected UDP socket


def listens(tables: Iterable[str], protocol: str, address: IpAddress, port: int) -> bool | None:
    """Say whether a socket takes what comes to an address and port; `tables` are the texts of FILES.

    None where only a socket of all IPv6 addresses has the port: whether it takes IPv4 too (IPV6_V6ONLY) is not told.
    """
    there = {at for text in tables for at, number in _bound(text, LISTENING[protocol]) if number == port}
    if address.version == 6:
        return bool(there & {address, ANY6})
    if there & {address, ipaddress.IPv4Address(0), ipaddress.ip_address(f"::ffff:{address}")}:
        return True
    return None if ANY6 in there else False


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
