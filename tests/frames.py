"""Frames made by hand, true and false ones: what a container with raw sockets may put on its wire."""

from __future__ import annotations

import dataclasses
import ipaddress
import struct

ARP, IPV4, IPV6, DOT1Q, DOT1AD = 0x0806, 0x0800, 0x86DD, 0x8100, 0x88A8  # EtherTypes
ICMP, UDP, ICMPV6 = 1, 17, 58  # IP protocol numbers
BROADCAST, ALL_NODES = "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"


def mac(text: str) -> bytes:
    """Return the six bytes of a MAC address."""
    return bytes.fromhex(text.replace(":", ""))


def packed(address: str) -> bytes:
    """Return the bytes of an IP address."""
    return ipaddress.ip_address(address).packed


def ethernet(to: str, by: str, kind: int, payload: bytes, tags: tuple[tuple[int, int], ...] = ()) -> bytes:
    """Return a frame; `tags` are (EtherType, VLAN id), the outer one first."""
    tagged = b"".join(struct.pack("!HH", *tag) for tag in tags)
    return mac(to) + mac(by) + tagged + struct.pack("!H", kind) + payload


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def arp(operation: int, sha: str, spa: str, tha: str, tpa: str) -> bytes:
    """Return an ARP packet: 1 asks, 2 answers."""
    return struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + mac(sha) + packed(spa) + mac(tha) + packed(tpa)


@dataclasses.dataclass(frozen=True)
class Ipv4:
    """An IPv4 header; `offset` of a fragment is in bytes."""

    by: str
    to: str
    ttl: int = 64
    options: bytes = b""
    offset: int = 0
    more: bool = False

    def packet(self, protocol: int, payload: bytes) -> bytes:
        """Return the packet with this payload."""
        words = 5 + len(self.options) // 4
        where = self.offset // 8 | (0x2000 if self.more else 0)
        head = struct.pack("!BBHHHBB", 0x40 | words, 0, words * 4 + len(payload), 7, where, self.ttl, protocol)
        tail = packed(self.by) + packed(self.to) + self.options
        return head + struct.pack("!H", checksum(head + b"\0\0" + tail)) + tail + payload

    def udp(self, by_port: int, to_port: int, data: bytes) -> bytes:
        """Return a datagram without checksum (RFC 768 lets it be left out)."""
        return self.packet(UDP, struct.pack("!HHHH", by_port, to_port, 8 + len(data), 0) + data)


@dataclasses.dataclass(frozen=True)
class Ipv6:
    """An IPv6 header."""

    by: str
    to: str
    hops: int = 255

    def packet(self, protocol: int, payload: bytes) -> bytes:
        """Return the packet; the payload's checksum, at its protocol's place, is filled in."""
        at = {UDP: 6, ICMPV6: 2}[protocol]
        ends = packed(self.by) + packed(self.to)
        pseudo = ends + struct.pack("!II", len(payload), protocol)
        whole = payload[:at] + struct.pack("!H", checksum(pseudo + payload)) + payload[at + 2 :]
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, self.hops) + ends + whole

    def udp(self, by_port: int, to_port: int, data: bytes) -> bytes:
        """Return a datagram."""
        return self.packet(UDP, struct.pack("!HHHH", by_port, to_port, 8 + len(data), 0) + data)

    def icmp(self, kind: int, body: bytes) -> bytes:
        """Return an ICMPv6 message."""
        return self.packet(ICMPV6, struct.pack("!BBH", kind, 0, 0) + body)


def advertisement(target: str, of: str, flags: int = 0x20) -> bytes:
    """Return the body of a neighbour advertisement: `target` is at `of`, believe it (RFC 4861 section 4.4)."""
    return bytes([flags, 0, 0, 0]) + packed(target) + b"\x02\x01" + mac(of)


def solicitation(target: str, of: str) -> bytes:
    """Return the body of a neighbour solicitation: who has `target`, asks `of`."""
    return bytes(4) + packed(target) + b"\x01\x01" + mac(of)


def router(of: str, prefix: str) -> bytes:
    """Return the body of a router advertisement: be routed by me, with addresses of `prefix` (RFC 4861 section 4.2)."""
    offer = b"\x03\x04\x40\xc0" + struct.pack("!III", 3600, 3600, 0) + packed(prefix)
    return struct.pack("!BBHII", 64, 0, 1800, 0, 0) + b"\x01\x01" + mac(of) + offer
