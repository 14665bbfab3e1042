"""What our part of iptables is made of: rules, chains of our own, and the jumps that lead to these; pure.

Rules are known by a digest in their comment, so that nobody has to parse what `iptables-save` makes of their text
(Felix's habit).  A chain of ours is there while it has rules, and with it the jumps to it.

Published ports are in chains of their own, 64 ports of a protocol in each (a span).  So a change is made in one short
chain, however many ports there are: to delete a rule, iptables reads its whole chain.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from records.model import GATEWAY_PORT, IpAddress, Protocol, Published

Family: TypeAlias = Literal["ipv4", "ipv6"]
FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")

BYPASS_CHAIN = "MOORAGE-PREROUTING"
MASQUERADE_CHAIN = "MOORAGE-POSTROUTING"
PUBLISHED_CHAIN = "MOORAGE-PUBLISHED"
LOOPBACK_CHAIN = "MOORAGE-LOOPBACK"
FORWARD_CHAIN = "MOORAGE-FORWARD"
INPUT_CHAIN = "MOORAGE-INPUT"

# Table -> chain of ours -> what leads to it: chains of iptables(8), or of ours, each with a match.
Chains: TypeAlias = Mapping[str, Mapping[str, tuple[str, ...]]]

CHAINS: Chains = {
    "raw": {BYPASS_CHAIN: ("PREROUTING",)},
    "nat": {
        PUBLISHED_CHAIN: ("PREROUTING -m addrtype --dst-type LOCAL", "OUTPUT -m addrtype --dst-type LOCAL"),
        LOOPBACK_CHAIN: ("OUTPUT",),
        MASQUERADE_CHAIN: ("POSTROUTING",),
    },
    "filter": {FORWARD_CHAIN: ("FORWARD",), INPUT_CHAIN: (f"INPUT -i {GATEWAY_PORT}+",)},
}
# Chains that hold nothing but the jumps to those of spans.
SPREAD: Mapping[Family, tuple[str, ...]] = {"ipv4": (PUBLISHED_CHAIN, LOOPBACK_CHAIN), "ipv6": (PUBLISHED_CHAIN,)}
_BITS = 6  # of a port's number that tell apart those of a span
_SPANNED = re.compile(rf"(?:{PUBLISHED_CHAIN}|{LOOPBACK_CHAIN})-({'|'.join(Protocol).upper()})-(\d+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """64 ports of the host and of one protocol; `number` is what they have in common, their upper bits."""

    family: Family
    protocol: Protocol
    number: int

    def __str__(self) -> str:
        return f"{self.family} {self.protocol} {self.ports[0]}:{self.ports[-1]}"

    @property
    def ports(self) -> range:
        """The ports' numbers."""
        return range(self.number << _BITS, (self.number + 1) << _BITS)

    @property
    def chains(self) -> Chains:
        """The chains of the span: one for all addresses but the loopback's, and one for these."""
        match = f"-p {self.protocol} -m {self.protocol} --dport {self.ports[0]}:{self.ports[-1]}"
        return {"nat": {self.chain(base): (f"{base} {match}",) for base in SPREAD[self.family]}}

    def holds(self, row: Published) -> bool:
        """Whether a published port is one of these."""
        return row.host_port in self.ports and (family(row.host_ip), row.protocol) == (self.family, self.protocol)

    def chain(self, base: str) -> str:
        """Name of the span's chain that `base` leads to (28 bytes at most: XT_EXTENSION_MAXNAMELEN)."""
        return f"{base}-{self.protocol.upper()}-{self.number}"

    @classmethod
    def of_chain(cls, family: Family, chain: str) -> Span | None:
        """Return the span that has a chain of this name."""
        found = _SPANNED.fullmatch(chain)
        return None if found is None else cls(family, Protocol(found[1].lower()), int(found[2]))


Part: TypeAlias = Family | Span  # of all our rules: a family without its published ports, or some of these


def family(ip: IpAddress) -> Family:
    """Return whose tables an address is in."""
    return "ipv4" if ip.version == 4 else "ipv6"


def family_of(part: Part) -> Family:
    """Return whose tables a part is in."""
    return part.family if isinstance(part, Span) else part


def chains_of(part: Part) -> Chains:
    """Return the chains that a part may have."""
    return part.chains if isinstance(part, Span) else CHAINS


def span(row: Published) -> Span:
    """Return where a published port is."""
    return Span(family(row.host_ip), row.protocol, row.host_port >> _BITS)


def parts(row: Published) -> tuple[Part, Part]:
    """Return what a published port makes a difference to: its family has more rules while it has ports at all."""
    return family(row.host_ip), span(row)


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a chain; two are the same when their digests are."""

    table: str
    chain: str
    digest: str
    text: str = dataclasses.field(default="", compare=False)

    @classmethod
    def make(cls, table: str, chain: str, text: str) -> Rule:
        """Make a rule of matches and target as iptables(8) spells them."""
        return cls(table, chain, _digest(table, chain, text), text)


@functools.lru_cache(maxsize=2**16)
def _digest(table: str, chain: str, text: str) -> str:
    return hashlib.blake2b(f"{table} {chain} {text}".encode(), digest_size=8).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Ruleset:
    """The rules of a part's chains, chain by chain and in order, these chains, and the jumps to them."""

    rules: tuple[Rule, ...]
    jumps: frozenset[Rule]
    chains: frozenset[tuple[str, str]]  # (table, chain)

    @classmethod
    def of(cls, rules: Iterable[Rule], among: Chains = CHAINS, *, empty: Iterable[str] = ()) -> Ruleset:
        """Return what should be there for these rules to be in force; rules of one chain keep their order.

        They are in chains of `among`.  The chains `empty` of table nat are there without rules: others' jumps come.
        """
        given = list(rules)
        chains = frozenset((rule.table, rule.chain) for rule in given) | {("nat", chain) for chain in empty}
        jumps = (jump for table, chain in chains for jump in _jumps(table, chain, among[table][chain]))
        return cls.found(given, jumps, chains, among)

    @classmethod
    def found(
        cls,
        rules: Iterable[Rule],
        jumps: Iterable[Rule],
        chains: Iterable[tuple[str, str]],
        among: Chains = CHAINS,
    ) -> Ruleset:
        """Return what is there."""
        order = [(table, chain) for table, own in among.items() for chain in own]
        ordered = tuple(sorted(rules, key=lambda rule: order.index((rule.table, rule.chain))))
        return cls(ordered, frozenset(jumps), frozenset(chains))


@functools.lru_cache(maxsize=2**14)
def _jumps(table: str, chain: str, places: tuple[str, ...]) -> tuple[Rule, ...]:
    found = []
    for place in places:
        leading, _, match = place.partition(" ")
        found.append(Rule.make(table, leading, f"{match} -j {chain}".strip()))
    return tuple(found)
