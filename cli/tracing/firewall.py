"""A packet's way through the chains of one hook of one table: where it ends, and which rule decides; pure.

A rule that cannot be judged is followed both ways: where both end alike it does not matter, else nobody can say.
"""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TypeAlias

from cli.tracing.matching import Surroundings, matches, unknown
from cli.tracing.packet import Packet
from cli.tracing.rules import Rule, Ruleset
from cli.tracing.targets import CannotTell, Change, change

DOUBTS = 100  # rules that cannot be judged: more are not followed

Frames: TypeAlias = tuple[tuple[str, int], ...]  # (chain, next rule), the built-in chain first


class Fate(StrEnum):
    """What becomes of the packet."""

    PASSES = "passes"
    DROPPED = "dropped"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """A rule that matched and did something, or (no rule) the policy of the built-in chain."""

    table: str
    chain: str
    rule: Rule | None
    words: str

    @property
    def line(self) -> str:
        """As the administrator would look for it."""
        if self.rule is None:
            return f"-t {self.table} -P {self.chain} {self.words}"
        return f"-t {self.table} -A {self.rule.chain} {self.rule.text}"


@dataclasses.dataclass(frozen=True, slots=True)
class Passage:
    """How it ended: `by` decided it, `hits` are all rules that did something; `why` says what cannot be told."""

    fate: Fate
    packet: Packet
    by: Hit | None = None
    hits: tuple[Hit, ...] = ()
    doubts: tuple[str, ...] = ()  # rules that cannot be judged, but make no difference
    why: str = ""


def traverse(rules: Ruleset, table: str, hook: str, packet: Packet, around: Surroundings) -> Passage:
    """Return how the packet fares in one table at one hook (`PREROUTING`, `FORWARD` ...)."""
    chain = rules.chain(table, hook)
    if chain is None:
        return Passage(Fate.PASSES, packet)
    return _Walk(rules, table, around).walk(((hook, 0),), packet)


class _Walk:
    """Remembers where it has been: two ways through a rule often meet again."""

    def __init__(self, rules: Ruleset, table: str, around: Surroundings) -> None:
        self._rules = rules
        self._table = table
        self._around = around
        self._known: dict[tuple[Frames, Packet], Passage] = {}
        self._depth = 0

    def walk(self, frames: Frames, packet: Packet) -> Passage:
        hits: list[Hit] = []
        while True:
            (name, at) = frames[-1]
            chain = self._rules.chain(self._table, name)
            rules = chain.rules if chain is not None else ()
            if at >= len(rules):
                if len(frames) > 1:
                    frames = frames[:-1]
                    continue
                policy = chain.policy if chain is not None else None
                return self._end(policy or "ACCEPT", None, name, packet, hits)
            rule, frames = rules[at], (*frames[:-1], (name, at + 1))
            found = matches(rule, packet, self._around)
            if found is None:
                return _after(hits, self._both_ways(rule, frames, packet))
            if found:
                done = self._take(rule, frames, packet, hits)
                if isinstance(done, Passage):
                    return done
                frames, packet = done

    def _take(self, rule: Rule, frames: Frames, packet: Packet, hits: list[Hit]) -> Passage | tuple[Frames, Packet]:
        """Do what a matching rule says: the end, or where to go on and with what."""
        target, name = rule.target, frames[-1][0]
        if target in {"ACCEPT", "DROP", "REJECT"}:
            return self._end(target, rule, name, packet, hits)
        if target == "RETURN":
            return (frames[:-1] if len(frames) > 1 else _ended(frames)), packet
        if target is not None and self._rules.chain(self._table, target) is not None:
            if any(target == frame[0] for frame in frames):  # the kernel takes no loops: this is no saved ruleset
                return Passage(Fate.UNKNOWN, packet, why=f"the chain {target} leads back to itself")
            left = frames if not rule.goto else (frames[:-1] if len(frames) > 1 else _ended(frames))
            return (*left, (target, 0)), packet
        try:
            made: Change = change(rule, packet, self._around)
        except CannotTell as error:
            return Passage(
                Fate.UNKNOWN, packet, Hit(self._table, name, rule, "cannot be judged"), tuple(hits), why=str(error)
            )
        if made.words:
            hits.append(Hit(self._table, name, rule, made.words))
        if made.final:
            return Passage(Fate.PASSES, made.packet, hits[-1], tuple(hits))
        return frames, made.packet

    def _end(self, verdict: str, rule: Rule | None, name: str, packet: Packet, hits: list[Hit]) -> Passage:
        fate = {"ACCEPT": Fate.PASSES, "REJECT": Fate.REJECTED}.get(verdict, Fate.DROPPED)
        by = Hit(self._table, name, rule, verdict)
        return Passage(fate, packet, by, (*hits, by) if rule is not None or fate is not Fate.PASSES else tuple(hits))

    def _both_ways(self, rule: Rule, frames: Frames, packet: Packet) -> Passage:
        key = (frames, packet)
        if key in self._known:
            return self._known[key]
        doubt = f"-t {self._table} -A {rule.chain} {rule.text}"
        self._depth += 1
        if self._depth > DOUBTS:
            return Passage(
                Fate.UNKNOWN, packet, why=f"more than {DOUBTS} rules cannot be judged, the last one: {doubt}"
            )
        without = self.walk(frames, packet)
        hits: list[Hit] = []
        taken = self._take(rule, frames, packet, hits)
        with_it = taken if isinstance(taken, Passage) else _after(hits, self.walk(*taken))
        if Fate.UNKNOWN not in {without.fate, with_it.fate} and _alike(without, with_it):
            found = dataclasses.replace(without, doubts=(doubt, *without.doubts))
        else:
            asked = unknown(rule, packet, self._around)
            why = next((p.why for p in (without, with_it) if p.why), f"whether {asked!r} matches is not known here")
            found = Passage(Fate.UNKNOWN, packet, Hit(self._table, frames[-1][0], rule, "cannot be judged"), why=why)
        self._known[key] = found
        return found


def _ended(frames: Frames) -> Frames:
    """Return the frames with the built-in chain at its end, where its policy decides."""
    return ((frames[0][0], 1 << 30), *frames[1:])


def _after(hits: list[Hit], passage: Passage) -> Passage:
    return dataclasses.replace(passage, hits=(*hits, *passage.hits))


def _alike(one: Passage, other: Passage) -> bool:
    """Say whether two ends are the same to the packet; DROP and REJECT are, to whoever waits for an answer."""
    return (one.fate is Fate.PASSES) == (other.fate is Fate.PASSES) and one.packet == other.packet
