"""Changes of network interfaces as the kernel's own messages (rtnetlink(7)), for what a container's start waits for.

A library's objects take 3 ms of processor time a message, these 0.1.
"""

from __future__ import annotations

import os
import socket
import struct

_NEWLINK, _DELLINK = 16, 17  # linux/rtnetlink.h: kinds of messages
_REQUEST, _ACK, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x200, 0x400  # linux/netlink.h: flags of a message
_ADDRESS, _IFNAME, _MTU, _LINKINFO, _IFALIAS, _GROUP = 1, 3, 4, 18, 20, 27  # linux/if_link.h: attributes of a link
_KIND, _DATA, _VETH_PEER = 1, 2, 1  # linux/if_link.h, linux/veth.h: attributes within _LINKINFO
_UP = 0x1  # linux/if.h: IFF_UP

_message = struct.Struct("=IHHII").pack  # struct nlmsghdr
_link = struct.Struct("=BxHiII").pack  # struct ifinfomsg
_attribute = struct.Struct("=HH").pack
_number = struct.Struct("=I").pack
_error = struct.Struct("=i").unpack_from  # of struct nlmsgerr, after the message's header


class Rtnetlink:
    """A socket to the kernel, for one thread."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)

    def call(self, message: bytes) -> None:
        """Have a message carried out; returns when it is.  Raises OSError with the kernel's reason."""
        self._socket.send(message)
        code = -_error(self._socket.recv(65536), 16)[0]
        if code:
            raise OSError(code, os.strerror(code))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def new_pair(name: str, peer: str, *, peer_mac: str, mtu: int, group: int) -> bytes:
    """Make a pair of virtual Ethernet interfaces, with their MTU in bytes; the first one is in `group`."""
    other = _link(0, 0, 0, 0, 0) + _text(_IFNAME, peer) + _numbered(_MTU, mtu)
    other += _piece(_ADDRESS, bytes.fromhex(peer_mac.replace(":", "")))
    info = _text(_KIND, "veth") + _piece(_DATA, _piece(_VETH_PEER, other))
    attributes = _text(_IFNAME, name) + _numbered(_MTU, mtu) + _numbered(_GROUP, group) + _piece(_LINKINFO, info)
    return _whole(_NEWLINK, _CREATE | _EXCLUSIVE, attributes)


def finished(name: str, alias: str) -> bytes:
    """Give an interface its alias, and put it up."""
    return _whole(_NEWLINK, 0, _text(_IFNAME, name) + _text(_IFALIAS, alias), flags=_UP)


def resized(name: str, mtu: int) -> bytes:
    """Give an interface another MTU, in bytes."""
    return _whole(_NEWLINK, 0, _text(_IFNAME, name) + _numbered(_MTU, mtu))


def grouped(name: str, group: int) -> bytes:
    """Put an interface into another group."""
    return _whole(_NEWLINK, 0, _text(_IFNAME, name) + _numbered(_GROUP, group))


def deleted(name: str) -> bytes:
    """Delete an interface, and the other end of its pair with it."""
    return _whole(_DELLINK, 0, _text(_IFNAME, name))


def group_deleted(group: int) -> bytes:
    """Delete all interfaces of a group: in one go, as the kernel waits 20 ms for each deletion."""
    return _whole(_DELLINK, 0, _numbered(_GROUP, group))


def _whole(kind: int, more: int, attributes: bytes, *, flags: int = 0) -> bytes:
    body = _link(0, 0, 0, flags, flags) + attributes
    return _message(16 + len(body), kind, _REQUEST | _ACK | more, 0, 0) + body


def _piece(kind: int, value: bytes) -> bytes:
    return _attribute(4 + len(value), kind) + value + bytes(-len(value) % 4)


def _text(kind: int, value: str) -> bytes:
    return _piece(kind, value.encode() + b"\0")


def _numbered(kind: int, value: int) -> bytes:
    return _piece(kind, _number(value))
