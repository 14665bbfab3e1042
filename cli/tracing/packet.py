"""The packet that is followed, as a value: its addresses as they are now, and as they were before any translation."""

from __future__ import annotations

import dataclasses

from records.model import IpAddress

EPHEMERAL = 40000  # the source port of the packet we follow: one of the range that kernels take them from
PROTOCOLS = ("tcp", "udp", "sctp", "icmp")
HOPS = 64  # time to live of a packet that Linux sends


@dataclasses.dataclass(frozen=True, slots=True)
class Ends:
    """From where to where.  The ports are 0 for ICMP."""

    src: IpAddress
    dst: IpAddress
    sport: int = 0
    dport: int = 0

    @property
    def back(self) -> Ends:
        """The other way round."""
        return Ends(self.dst, self.src, self.dport, self.sport)


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection (a TCP SYN, an echo request), or the answer to it (`reply`).

    `first` is the connection as its client sees it, `arrived` as its server does (None before it got there): what
    conntrack remembers.
    """

    protocol: str  # one of PROTOCOLS; `icmp` is ICMPv6 over IPv6
    ends: Ends
    first: Ends
    arrived: Ends | None = None
    reply: bool = False
    inside: str | None = None  # the interface it came in by (iptables -i)
    outside: str | None = None  # the interface it leaves by (iptables -o)
    mark: int = 0
    connection_mark: int = 0
    tracked: bool = True
    from_host: bool = False  # a process of the host has sent it

    @classmethod
    def request(cls, protocol: str, src: IpAddress, dst: IpAddress, port: int | None) -> Packet:
        """Return the first packet of a connection."""
        ends = Ends(src, dst) if port is None else Ends(src, dst, EPHEMERAL, port)
        return cls(protocol, ends, ends)

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.ends.dst.version

    @property
    def source_translated(self) -> bool:
        """Whether its connection has another source than its client gave it."""
        now = self.arrived or self.ends
        return (now.src, now.sport) != (self.first.src, self.first.sport)

    @property
    def destination_translated(self) -> bool:
        """Whether its connection has another destination than its client gave it."""
        now = self.arrived or self.ends
        return (now.dst, now.dport) != (self.first.dst, self.first.dport)

    def to(self, dst: IpAddress, port: int | None = None) -> Packet:
        """Return it with another destination."""
        ends = dataclasses.replace(self.ends, dst=dst, dport=self.ends.dport if port is None else port)
        return dataclasses.replace(self, ends=ends)

    def come_from(self, src: IpAddress, port: int | None = None) -> Packet:
        """Return it with another source."""
        ends = dataclasses.replace(self.ends, src=src, sport=self.ends.sport if port is None else port)
        return dataclasses.replace(self, ends=ends)

    def at(self, inside: str | None = None, outside: str | None = None) -> Packet:
        """Return it between two interfaces of the host."""
        return dataclasses.replace(self, inside=inside, outside=outside)

    def answer(self) -> Packet:
        """Return the reply of whoever took it."""
        return Packet(self.protocol, self.ends.back, self.first, self.ends, reply=True, tracked=self.tracked)

    @property
    def words(self) -> str:
        """For people: `tcp 10.1.0.2:40000 -> 10.1.0.3:80`."""
        if self.protocol == "icmp":
            kind = "echo reply" if self.reply else "echo request"
            return f"{kind} {self.ends.src} -> {self.ends.dst}"
        return f"{self.protocol} {spell(self.ends.src, self.ends.sport)} -> {spell(self.ends.dst, self.ends.dport)}"


def spell(address: IpAddress, port: int = 0) -> str:
    """Return `address:port` as people write it; port 0 is none."""
    if not port:
        return str(address)
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"
