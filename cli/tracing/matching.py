"""Whether a rule of iptables matches a packet: yes, no, or nobody can tell from here; pure.

The options are those of iptables(8) and iptables-extensions(8), as `iptables-save` spells them.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence

from cli.tracing.packet import Packet
from cli.tracing.rules import Option, Rule
from records.model import IpAddress, IpInterface

NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1}  # IANA's; ICMPv6 is below
ICMPV6 = 58
OTHERS = {"all": 0, "igmp": 2, "gre": 47, "esp": 50, "ah": 51, "icmpv6": ICMPV6, "ipv6-icmp": ICMPV6, "udplite": 136}
ECHO = {(4, False): 8, (4, True): 0, (6, False): 128, (6, True): 129}  # (version, reply): RFC 792, RFC 4443
ECHOES = {"echo-request": False, "ping": False, "echo-reply": True, "pong": True}
KNOWN = {  # modules all of whose answers depend on their options
    *("comment", "tcp", "udp", "sctp", "icmp", "icmp6", "multiport", "conntrack", "state", "addrtype", "mark"),
    *("connmark", "iprange", "physdev", "owner", "pkttype", "rpfilter"),
}
LOCAL = "local"  # what `way_back` says of an address of the host
BOTH = 0xFFFFFFFF  # all bits of a mark


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What matches ask about beside the packet: the host's own addresses, by interface, and its routes.

    `way_back` returns the interface that the host would send to an address by; LOCAL where it is the host's own, None
    where it has no way there.
    """

    addresses: Mapping[str, tuple[IpInterface, ...]] = dataclasses.field(default_factory=dict)
    way_back: Callable[[IpAddress], str | None] | None = None

    def own(self, address: IpAddress, interface: str | None = None) -> bool:
        """Say whether the host has this address (on this interface)."""
        if interface is None and address.is_loopback:
            return True
        where = self.addresses.values() if interface is None else [self.addresses.get(interface, ())]
        return any(address == had.ip for on in where for had in on)

    def kind(self, address: IpAddress, interface: str | None = None) -> str:
        """Return an address's type as `-m addrtype` calls it."""
        if self.own(address, interface):
            return "LOCAL"
        if address.is_multicast:
            return "MULTICAST"
        everybody = {a.network.broadcast_address for on in self.addresses.values() for a in on if a.version == 4}
        return "BROADCAST" if address in everybody or str(address) == "255.255.255.255" else "UNICAST"


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """What a test is given."""

    packet: Packet
    around: Surroundings
    rule: Rule

    def has(self, option: str) -> bool:
        return any(option == other.name for other in self.rule.matches)


def matches(rule: Rule, packet: Packet, around: Surroundings) -> bool | None:
    """Return whether a rule matches; None where that depends on what is not known here."""
    answers = [answer for _, answer in _answers(rule, packet, around)]
    if False in answers:
        return False
    return None if None in answers else True


def unknown(rule: Rule, packet: Packet, around: Surroundings) -> str:
    """Return the options of a rule that cannot be judged, as they are written."""
    return " ".join(
        f"{'! ' * option.negated}{' '.join((option.name, *option.values))}"
        for option, answer in _answers(rule, packet, around)
        if answer is None
    )


def _answers(rule: Rule, packet: Packet, around: Surroundings) -> Iterator[tuple[Option, bool | None]]:
    asked, module = _Asked(packet, around, rule), ""
    for option in rule.matches:
        if option.name == "-m":
            module = option.values[0] if option.values else ""
            known = True if module in KNOWN else None
            yield option, _reverse_path(asked) if module == "rpfilter" else known
            continue
        test = _TESTS.get(f"{module} {option.name}") or _TESTS.get(option.name)
        try:
            found = None if test is None else test(option.values, asked)
        except (ValueError, IndexError):  # written in a way that we do not know
            found = None
        yield option, found if found is None else found is not option.negated


_Test = Callable[[Sequence[str], _Asked], bool | None]


def _address(which: Callable[[Packet], IpAddress]) -> _Test:
    return lambda values, asked: _covers(values[0], which(asked.packet))


def _covers(text: str, address: IpAddress) -> bool:
    """Say whether an address is in `base/length` or `base/mask`, whose ones need not stand together."""
    base, _, rest = text.partition("/")
    if not rest or rest.isdecimal():
        return address in ipaddress.ip_network(text, strict=False)
    mask, wanted = int(ipaddress.ip_address(rest)), ipaddress.ip_address(base)
    return wanted.version == address.version and int(wanted) & mask == int(address) & mask


def _range(which: Callable[[Packet], IpAddress]) -> _Test:
    def test(values: Sequence[str], asked: _Asked) -> bool:
        low, _, high = values[0].partition("-")
        return int(ipaddress.ip_address(low)) <= int(which(asked.packet)) <= int(ipaddress.ip_address(high or low))

    return test


def _interface(which: Callable[[Packet], str | None]) -> _Test:
    def test(values: Sequence[str], asked: _Asked) -> bool:
        name = which(asked.packet) or ""
        return name.startswith(values[0][:-1]) if values[0].endswith("+") else name == values[0]

    return test


def number(packet: Packet) -> int:
    """Return the packet's protocol number."""
    return ICMPV6 if packet.protocol == "icmp" and packet.version == 6 else NUMBERS[packet.protocol]


def _protocol(values: Sequence[str], asked: _Asked) -> bool:
    name = values[0].lower()
    wanted = int(name) if name.isdecimal() else {**NUMBERS, **OTHERS}.get(name, -1)
    if wanted < 0:
        raise ValueError(name)
    return wanted in {0, number(asked.packet)}


def _ports(*which: Callable[[Packet], int]) -> _Test:
    def test(values: Sequence[str], asked: _Asked) -> bool:
        return any(_within(part, get(asked.packet)) for part in values[0].split(",") for get in which)

    return test


def _within(part: str, port: int) -> bool:
    low, colon, high = part.partition(":")
    return int(low or 0) <= port <= int((high or 65535) if colon else low)


def _icmp(values: Sequence[str], asked: _Asked) -> bool | None:
    packet = asked.packet
    if packet.protocol != "icmp":
        return False
    kind, _, code = values[0].partition("/")
    if kind in {"any", "255"}:
        return True
    if not kind.isdecimal():
        return ECHOES[kind] is packet.reply if kind in ECHOES else None
    return int(kind) == ECHO[packet.version, packet.reply] and int(code or 0) == 0


def _flags(values: Sequence[str], asked: _Asked) -> bool:
    mask, wanted = (set(part.split(",")) - {"NONE"} for part in values[:2])
    have = {"SYN", "ACK"} if asked.packet.reply else {"SYN"}
    return asked.packet.protocol == "tcp" and (have if "ALL" in mask else have & mask) == wanted


def _syn(_values: Sequence[str], asked: _Asked) -> bool:
    return asked.packet.protocol == "tcp" and not asked.packet.reply


def _state(values: Sequence[str], asked: _Asked) -> bool:
    packet = asked.packet
    if not packet.tracked:
        return "UNTRACKED" in values[0].split(",")
    now = {"ESTABLISHED" if packet.reply else "NEW"}
    now |= {"SNAT"} if packet.source_translated else set()
    now |= {"DNAT"} if packet.destination_translated else set()
    return bool(now & set(values[0].split(",")))


def _direction(values: Sequence[str], asked: _Asked) -> bool:
    return values[0] == ("REPLY" if asked.packet.reply else "ORIGINAL")


def _kind(which: Callable[[Packet], IpAddress]) -> _Test:
    def test(values: Sequence[str], asked: _Asked) -> bool:
        packet, on = asked.packet, None
        if asked.has("--limit-iface-in"):
            on = packet.inside
        elif asked.has("--limit-iface-out"):
            on = packet.outside
        return asked.around.kind(which(packet), on) in values[0].split(",")

    return test


def marked(value: str, mark: int) -> bool:
    """Say whether a mark is `value[/mask]`."""
    wanted, _, mask = value.partition("/")
    return mark & int(mask or str(BOTH), 0) == int(wanted, 0)


def _reverse_path(asked: _Asked) -> bool | None:
    """Say whether the host would answer by the interface that a packet came in by (`-m rpfilter`)."""
    inside, way_back = asked.packet.inside, asked.around.way_back
    if inside is None or way_back is None or (asked.has("--validmark") and asked.packet.mark):
        return None
    way = way_back(asked.packet.ends.src)
    if inside == "lo":
        right = True
    elif way == LOCAL:
        right = asked.has("--accept-local")
    else:
        right = way is not None and (way == inside or asked.has("--loose"))
    return right is not asked.has("--invert")


def _owner(_values: Sequence[str], asked: _Asked) -> bool | None:
    return None if asked.packet.from_host else False  # a packet on its way through has no process


def _always(_values: Sequence[str], _asked: _Asked) -> bool:
    return True


def _never(_values: Sequence[str], _asked: _Asked) -> bool:
    return False


_TESTS: Mapping[str, _Test] = {
    "-s": _address(lambda p: p.ends.src),
    "-d": _address(lambda p: p.ends.dst),
    "-i": _interface(lambda p: p.inside),
    "-o": _interface(lambda p: p.outside),
    "-p": _protocol,
    "-f": _never,  # a fragment: what we follow is small
    "--comment": _always,
    "--sport": _ports(lambda p: p.ends.sport),
    "--dport": _ports(lambda p: p.ends.dport),
    "--sports": _ports(lambda p: p.ends.sport),
    "--dports": _ports(lambda p: p.ends.dport),
    "--ports": _ports(lambda p: p.ends.sport, lambda p: p.ends.dport),
    "--icmp-type": _icmp,
    "--icmpv6-type": _icmp,
    "--tcp-flags": _flags,
    "--syn": _syn,
    "--ctstate": _state,
    "--state": _state,
    "--ctdir": _direction,
    "--ctproto": _protocol,
    "--ctorigsrc": _address(lambda p: p.first.src),
    "--ctorigdst": _address(lambda p: p.first.dst),
    "--ctorigsrcport": _ports(lambda p: p.first.sport),
    "--ctorigdstport": _ports(lambda p: p.first.dport),
    "--src-type": _kind(lambda p: p.ends.src),
    "--dst-type": _kind(lambda p: p.ends.dst),
    "--limit-iface-in": _always,  # says how --src-type and --dst-type are meant
    "--limit-iface-out": _always,
    "--src-range": _range(lambda p: p.ends.src),
    "--dst-range": _range(lambda p: p.ends.dst),
    "mark --mark": lambda values, asked: marked(values[0], asked.packet.mark),
    "connmark --mark": lambda values, asked: marked(values[0], asked.packet.connection_mark),
    "--physdev-in": _never,  # of bridged packets; those we follow are routed
    "--physdev-out": _never,
    "--physdev-is-in": _never,
    "--physdev-is-out": _never,
    "--physdev-is-bridged": _never,
    "--invert": _always,  # these four are options of rpfilter, see _reverse_path
    "--loose": _always,
    "--validmark": _always,
    "--accept-local": _always,
    "--uid-owner": _owner,
    "--gid-owner": _owner,
    "--socket-exists": _owner,
    "--pkt-type": lambda values, _asked: values[0] == "unicast",
}
