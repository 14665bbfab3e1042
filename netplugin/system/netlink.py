"""The kernel's network configuration over one kept netlink socket."""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

SIOCETHTOOL = 0x8946  # linux/sockios.h
ETHTOOL_STXCSUM = 0x17  # linux/ethtool.h: set transmit checksumming


class Netlink:
    """One socket, used from the loop's thread only: opening one for each call costs more than the call does."""

    def __init__(self) -> None:
        self._ip = IPRoute()

    def call(self, verb: str, **arguments: Any) -> Any:
        """Change a link.  Raises NetlinkError."""
        return self._ip.link(verb, **arguments)

    def links(self, names: Sequence[str] | None, *, prefix: str) -> Iterator[Any]:
        """Yield the links of these names, or (None) all whose name begins with `prefix`."""
        if names is None:
            for link in self._ip.get_links():
                if (link.get("ifname") or "").startswith(prefix):
                    yield link
            return
        for name in names:
            try:
                yield from self._ip.link("get", ifname=name)
            except NetlinkError as error:
                if error.code != errno.ENODEV:
                    raise

    def index(self, name: str) -> int:
        """Return an interface's number.  Raises OSError where there is none of that name."""
        return socket.if_nametoindex(name)

    def addresses(self, index: int) -> Iterator[tuple[str, int]]:
        """Yield (address, prefix length) of an interface, link-local ones left out."""
        for row in self._ip.get_addr(index=index):
            if row["scope"] == 0:  # RT_SCOPE_UNIVERSE
                yield row.get("address"), row["prefixlen"]

    def address(self, verb: str, index: int, ip: str, prefixlen: int, **arguments: Any) -> None:
        """Add or delete an address.  Raises NetlinkError."""
        self._ip.addr(verb, index=index, address=ip, prefixlen=prefixlen, **arguments)

    def checksum_off(self, name: str) -> None:
        """Have an interface send whole checksums: the userspace datapath without TSO passes on half-made ones."""
        value = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
        request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, SIOCETHTOOL, request)

    def close(self) -> None:
        """Close the socket."""
        self._ip.close()
