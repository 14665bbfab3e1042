"""The script for iptables-restore that brings our chains from what iptables-save showed to what is wanted; pure.

Only what differs is in it, rule by rule, so that one change among a thousand rules is a line or two.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping, Sequence

from netplugin.plan.rules import CHAINS, SPREAD, Chains, Family, Part, Rule, Ruleset, Span

COMMENT = re.compile(r'--comment "?moorage:([0-9a-f]+)"?')

ADMINISTRATOR = " -j DOCKER-USER"  # Docker's chain for the administrator's own rules, which come before all others

Saved = Mapping[str, Sequence[str]]  # table -> its lines that name chains (`:...`) and rules (`-A ...`)


def parse(text: str) -> dict[str, list[str]]:
    """Return the chains and rules of each table of iptables-save's output."""
    tables: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            current = tables.setdefault(line[1:], [])
        elif line.startswith((":", "-A")):
            current.append(line)
    return tables


def divided(family: Family, saved: Saved) -> dict[Part, Saved]:
    """Return the same lines by the part that they concern: what is not of a span is its family's."""
    found: dict[Part, dict[str, list[str]]] = {family: {}}
    for table, lines in saved.items():
        for line in lines:
            found.setdefault(_part(family, line), {}).setdefault(table, []).append(line)
    return dict(found)


def _part(family: Family, line: str) -> Part:
    """Return whose a line is: a span's chains, their rules, and the jumps of ours to them are the span's."""
    words = line.split()
    chain = words[1] if line.startswith("-A") else words[0][1:]
    target = words[-1] if chain in SPREAD[family] else ""
    return Span.of_chain(family, chain) or Span.of_chain(family, target) or family


def ours(saved: Saved, among: Chains = CHAINS) -> Ruleset | None:
    """Return what is ours of it, in chains of `among`, or None where nothing is.

    What somebody else has put into a chain of ours is among it, without a digest, so that it will not stay.  A jump of
    ours ahead of the administrator's rules is not among it, so that it will move.
    """
    rules, jumps, chains = list[Rule](), list[Rule](), list[tuple[str, str]]()
    for table, own in among.items():
        lines = saved.get(table, ())
        ahead = {number for chain in _leading(own) for number in _ahead(lines, chain)}
        for number, line in enumerate(lines):
            if line.startswith(":"):
                if (chain := line[1:].partition(" ")[0]) in own:
                    chains.append((table, chain))
            elif (rule := _ours(table, line)).chain in own:
                rules.append(rule)
            elif _leads(table, rule) and number not in ahead:
                jumps.append(rule)
    return Ruleset.found(rules, jumps, chains, among) if chains or jumps else None


def shown(ruleset: Ruleset | None) -> Saved:
    """Return how these rules stand in iptables-save's output, as far as `script` looks at it."""
    tables: dict[str, list[str]] = {}
    if ruleset is not None:
        for table, chain in ruleset.chains:
            tables.setdefault(table, []).append(f":{chain} - [0:0]")
        for rule in (*ruleset.rules, *ruleset.jumps):
            tables[rule.table].append(f"-A {rule.chain} {_spelled(rule)}")
    return tables


def script(saved: Saved, wanted: Ruleset | None, among: Chains = CHAINS) -> str:
    """Return the lines for `iptables-restore --noflush`; empty where nothing is to do."""
    lines = [line for table, own in among.items() for line in _table(table, own, saved.get(table, ()), wanted)]
    return "".join(f"{line}\n" for line in lines)


def _table(table: str, own: Mapping[str, Sequence[str]], saved: Sequence[str], wanted: Ruleset | None) -> Iterator[str]:
    """Yield the lines of one table: jumps that must go, chains, jumps that must come."""
    have: dict[str, list[str]] = {}  # chain of ours -> its rules
    jumps: dict[str, str] = {}  # line -> digest
    ahead = {chain: [saved[number] for number in _ahead(saved, chain)] for chain in _leading(own)}
    early = {line for lines in ahead.values() for line in lines}
    for line in saved:
        chain = line.split(maxsplit=2)[1] if line.startswith("-A") else line[1:].partition(" ")[0]
        if chain in own:
            have.setdefault(chain, [])
            if line.startswith("-A"):
                have[chain].append(line)
        elif line.startswith("-A") and _leads(table, rule := _ours(table, line)):
            jumps[line] = rule.digest
    want: dict[str, list[Rule]] = {chain: [] for of, chain in (wanted.chains if wanted else ()) if of == table}
    for rule in wanted.rules if wanted else ():
        if rule.table == table:
            want[rule.chain].append(rule)
    leading = [] if wanted is None else [jump for jump in wanted.jumps if jump.table == table]
    keep = {digest for line, digest in jumps.items() if line not in early} & {jump.digest for jump in leading}
    lines = [f"-D {line.removeprefix('-A ')}" for line, digest in jumps.items() if digest not in keep]
    for chain in own:
        if chain in want:
            lines += _chain(chain, have.get(chain, ()), want[chain])
        elif chain in have:
            lines += [f"-F {chain}", f"-X {chain}"]
    for jump in sorted(leading, key=lambda jump: jump.text):
        if jump.digest not in keep:
            others = [line for line in ahead[jump.chain] if not _ours(table, line).digest]  # ours have gone by then
            lines.append(_insert(jump, len(others) + 1))
    if lines:
        new = [f":{chain} - [0:0]" for chain in own if chain in want and chain not in have]
        yield from (f"*{table}", *new, *lines, "COMMIT")


def _leads(table: str, rule: Rule) -> bool:
    """Whether a rule of another chain than the part's own is the part's to keep or to delete, as a jump to these."""
    return bool(rule.digest) or rule.chain in CHAINS[table]


def _leading(own: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the chains that lead to our `own`."""
    return {place.partition(" ")[0] for places in own.values() for place in places}


def _ahead(saved: Sequence[str], chain: str) -> list[int]:
    """Return the places in `saved` of a chain's rules up to the jump to the administrator's; none without it."""
    rules = [number for number, line in enumerate(saved) if line.startswith(f"-A {chain} ")]
    last = max((at for at, number in enumerate(rules) if saved[number].endswith(ADMINISTRATOR)), default=-1)
    return rules[: last + 1]


def _chain(chain: str, have: Sequence[str], want: Sequence[Rule]) -> Iterator[str]:
    """Yield what makes `have` the rules of `want`: deletions, then insertions from the first place on."""
    rank = {rule.digest: number for number, rule in enumerate(want)}
    found = [(number, rank.get(_ours("", line).digest, -1)) for number, line in enumerate(have)]
    stays = _longest_rising([(place, wish) for place, wish in found if wish >= 0])
    for number, line in enumerate(have):
        if number not in stays:
            yield f"-D {line.removeprefix('-A ')}"
    kept = {wish for place, wish in found if place in stays}
    last = max(kept, default=-1)
    for number, rule in enumerate(want):
        if number not in kept:
            yield _insert(rule, number + 1) if number < last else f"-A {chain} {_spelled(rule)}"


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> set[int]:
    """Return the first parts of a longest run of pairs whose second parts rise: the rules that need not move."""
    tails: list[int] = []  # least second part that ends a run of each length
    ends: list[int] = []  # index of the pair it belongs to
    before: list[int] = []  # index of the pair before, -1 for none
    for index, (_, value) in enumerate(pairs):
        length = bisect.bisect_left(tails, value)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [value]
        ends[length : length + 1] = [index]
    found, index = set(), ends[-1] if ends else -1
    while index >= 0:
        found.add(pairs[index][0])
        index = before[index]
    return found


def _insert(rule: Rule, place: int) -> str:
    return f"-I {rule.chain} {place} {_spelled(rule)}"


def _spelled(rule: Rule) -> str:
    return f"-m comment --comment moorage:{rule.digest} {rule.text}"


def _ours(table: str, line: str) -> Rule:
    """Return a rule by its line; without a digest where somebody else made it."""
    found = COMMENT.search(line)
    return Rule(table, line.split(maxsplit=2)[1], "" if found is None else found[1], line)
