"""What our part of iptables is made of: rules, chains of our own, and the jumps that lead to these; pure.

Rules are known by a digest in their comment, so that nobody has to parse what `iptables-save` makes of their text
(Felix's habit).  A chain of ours is there while it has rules, and with it the jumps to it.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from records.model import GATEWAY_PORT, IpAddress

Family: TypeAlias = Literal["ipv4", "ipv6"]
FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")

BYPASS_CHAIN = "MOORAGE-PREROUTING"
MASQUERADE_CHAIN = "MOORAGE-POSTROUTING"
PUBLISHED_CHAIN = "MOORAGE-PUBLISHED"
LOOPBACK_CHAIN = "MOORAGE-LOOPBACK"
FORWARD_CHAIN = "MOORAGE-FORWARD"
INPUT_CHAIN = "MOORAGE-INPUT"

# Table -> chain of ours -> what leads to it: chains of iptables(8), each with a match.
CHAINS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "raw": {BYPASS_CHAIN: ("PREROUTING",)},
    "nat": {
        PUBLISHED_CHAIN: ("PREROUTING -m addrtype --dst-type LOCAL", "OUTPUT -m addrtype --dst-type LOCAL"),
        LOOPBACK_CHAIN: ("OUTPUT",),
        MASQUERADE_CHAIN: ("POSTROUTING",),
    },
    "filter": {FORWARD_CHAIN: ("FORWARD",), INPUT_CHAIN: (f"INPUT -i {GATEWAY_PORT}+",)},
}
_PLACES = {place: number for number, place in enumerate((t, c) for t, chains in CHAINS.items() for c in chains)}


def family(ip: IpAddress) -> Family:
    """Return whose tables an address is in."""
    return "ipv4" if ip.version == 4 else "ipv6"


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
    """The rules of our own chains, chain by chain and in order, these chains, and the jumps to them."""

    rules: tuple[Rule, ...]
    jumps: frozenset[Rule]
    chains: frozenset[tuple[str, str]]  # (table, chain)

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> Ruleset:
        """Return what should be there for these rules to be in force; rules of one chain keep their order."""
        ordered = tuple(sorted(rules, key=lambda rule: _PLACES[rule.table, rule.chain]))
        chains = frozenset((rule.table, rule.chain) for rule in ordered)
        return cls(ordered, frozenset(jump for table, chain in chains for jump in _jumps(table, chain)), chains)

    @classmethod
    def found(cls, rules: Iterable[Rule], jumps: Iterable[Rule], chains: Iterable[tuple[str, str]]) -> Ruleset:
        """Return what is there."""
        ordered = tuple(sorted(rules, key=lambda rule: _PLACES[rule.table, rule.chain]))
        return cls(ordered, frozenset(jumps), frozenset(chains))


@functools.cache
def _jumps(table: str, chain: str) -> tuple[Rule, ...]:
    found = []
    for place in CHAINS[table][chain]:
        builtin, _, match = place.partition(" ")
        found.append(Rule.make(table, builtin, f"{match} -j {chain}".strip()))
    return tuple(found)
