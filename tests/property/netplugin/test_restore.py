"""Whatever our chains hold, one restore makes them what is wanted, and says no more than is needed."""

import re
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemonkit.diff import Diff, diff
from netplugin.plan import restore
from netplugin.plan.rules import CHAINS, SPREAD, Part, Rule, Ruleset, Span
from netplugin.system.iptables import Firewall
from records.model import Protocol

OTHERS = {"filter": ["-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -j RETURN"]}
PLACES = [(table, chain) for table, chains in CHAINS.items() for chain in chains]
RULES = [Rule.make(table, chain, f"-p tcp --dport {port}") for table, chain in PLACES for port in range(1, 7)]
FOREIGN = [f"-A {chain} -j ACCEPT" for _, chain in PLACES]

rules = st.lists(st.sampled_from(RULES), unique=True)
wanted = st.none() | rules.map(Ruleset.of)

SPANS = [Span("ipv4", protocol, number) for protocol in (Protocol.TCP, Protocol.UDP) for number in (0, 1023)]
SPANNED = {
    span: [Rule.make("nat", chain, f"--dport {port}") for chain in span.chains["nat"] for port in range(1, 4)]
    for span in SPANS
}
spanned = {span: st.lists(st.sampled_from(made), unique=True, min_size=1) for span, made in SPANNED.items()}


@st.composite
def plans(draw: st.DrawFn) -> dict[Part, Ruleset]:
    """What may be wanted of a family: some rules, and some spans of published ports."""
    found: dict[Part, Ruleset] = {
        span: Ruleset.of(draw(spanned[span]), span.chains) for span in draw(st.sets(st.sampled_from(SPANS)))
    }
    others = [rule for rule in draw(rules) if rule.chain not in SPREAD["ipv4"]]
    if found or others:
        found["ipv4"] = Ruleset.of(others, empty=SPREAD["ipv4"] if found else ())
    return found


def line(rule: Rule) -> str:
    return f'-A {rule.chain} -m comment --comment "moorage:{rule.digest}" {rule.text}'


@st.composite
def saved(draw: st.DrawFn) -> dict[str, list[str]]:
    """What may be found: rules of ours in any order, doubled, of old versions and of others; jumps there or not."""
    found: dict[str, list[str]] = {}
    for table, chains in CHAINS.items():
        lines = list(OTHERS.get(table, ()))
        for chain in chains:
            if draw(st.booleans()):
                lines.append(f":{chain} - [0:0]")
                own = [line(rule) for rule in RULES if (rule.table, rule.chain) == (table, chain)]
                own.append(f'-A {chain} -m comment --comment "moorage:00" -j OLD')
                own += [foreign for foreign in FOREIGN if foreign.startswith(f"-A {chain} ")]
                lines += draw(st.lists(st.sampled_from(own), max_size=10))
        there = [chain for chain in chains if f":{chain} - [0:0]" in lines]  # the kernel lets none jump to others
        jumps = [line(jump) for chain in there for jump in Ruleset.of([Rule.make(table, chain, "")]).jumps]
        lines += draw(st.lists(st.sampled_from(jumps), unique=True)) if jumps else []
        late = [jump for jump in jumps if jump not in lines]
        found[table] = [*draw(st.lists(st.sampled_from(late), unique=True)), *lines] if late else lines
    return found


@st.composite
def crowded(draw: st.DrawFn) -> dict[str, list[str]]:
    """The same with chains of spans, and jumps to them, of ours or of others; not to chains that are not there."""
    found = draw(saved())
    lines = found["nat"]
    for span in draw(st.sets(st.sampled_from(SPANS))):
        for chain in span.chains["nat"]:
            base = chain.removesuffix(f"-{span.protocol.upper()}-{span.number}")
            own = [line(rule) for rule in SPANNED[span] if rule.chain == chain]
            lines.append(f":{chain} - [0:0]")
            lines += draw(st.lists(st.sampled_from([*own, f"-A {chain} -j ACCEPT"]), max_size=5))
            if f":{base} - [0:0]" in lines:
                jumps = [
                    *map(line, Ruleset.of([Rule.make("nat", chain, "")], span.chains).jumps),
                    f"-A {base} -j {chain}",
                ]
                lines += draw(st.lists(st.sampled_from(jumps), unique=True))
    return found


class Kernel:
    """Stands for iptables-save and iptables-restore of IPv4; IPv6 has nothing."""

    def __init__(self, tables: dict[str, list[str]]) -> None:
        self.tables = tables

    def run(self, argv: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
        if argv[0] == "iptables-restore":
            self.tables = restored(self.tables, more["input"])
        tables = self.tables if argv[0] == "iptables-save" else {}
        text = "\n".join(one for name, lines in tables.items() for one in (f"*{name}", *lines, "COMMIT"))
        return subprocess.CompletedProcess(argv, 0, text, "")


def restored(tables: dict[str, list[str]], script: str) -> dict[str, list[str]]:
    """Return what iptables-restore makes of it."""
    after = {name: [quoted(old) for old in lines] for name, lines in tables.items()}
    for text in script.splitlines():
        verb, _, rest = text.partition(" ")
        chain = rest.partition(" ")[0]
        if text.startswith("*"):
            table = after.setdefault(text[1:], [])
        elif text.startswith(":"):
            assert text not in table
            table.append(text)
        elif verb == "-A":
            table.append(quoted(text))
        elif verb == "-I":
            place, _, spec = rest.partition(" ")[2].partition(" ")
            at = [number for number, old in enumerate(table) if old.startswith(f"-A {chain} ")]
            assert int(place) <= len(at) + 1
            table.insert([*at, len(table)][int(place) - 1], quoted(f"-A {chain} {spec}"))
        elif verb == "-D":
            table.remove(quoted(f"-A {rest}"))
        elif verb == "-F":
            table[:] = [old for old in table if not old.startswith(f"-A {chain} ")]
        elif verb == "-X":
            assert not [old for old in table if old.startswith(f"-A {chain} ") or old.endswith(f"-j {chain}")]
            table.remove(f":{chain} - [0:0]")
    return after


def quoted(text: str) -> str:
    return re.sub(r"--comment ([^\"]\S*)", r'--comment "\1"', text)


def foreign(tables: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: [old for old in lines if "MOORAGE" not in old] for name, lines in tables.items()}


@given(saved(), wanted)
def test_whatever_is_there_one_or_two_restores_end_with_what_is_wanted(
    before: dict[str, list[str]], want: Ruleset | None
) -> None:
    after = restored(before, restore.script(before, want))
    again = restored(after, restore.script(after, want))  # a doubled rule may take a second look

    assert want == restore.ours(again) or (want == Ruleset.of([]) and restore.ours(again) is None)
    assert "" == restore.script(again, want)
    assert foreign(before) == foreign(again)
    forward = [text for text in again.get("filter", ()) if text.startswith("-A FORWARD ")]
    assert not forward or forward[0] == OTHERS["filter"][0], "the administrator's rules come first"


@given(wanted, wanted)
def test_what_was_restored_need_not_be_read_for_the_next_change(before: Ruleset | None, want: Ruleset | None) -> None:
    after = restored(restore.shown(before), restore.script(restore.shown(before), want))

    assert restore.ours(restore.shown(want)) == restore.ours(after)
    assert "" == restore.script(restore.shown(want), want)


@given(crowded(), plans(), plans())
def test_whatever_is_there_it_ends_with_the_plan_and_the_next_plan_needs_no_look_at_it(
    before: dict[str, list[str]], first: dict[Part, Ruleset], second: dict[Part, Ruleset]
) -> None:
    kernel, firewall = Kernel(before), Firewall()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netplugin.system.iptables.subprocess.run", kernel.run)
        for _ in range(2):  # a doubled rule may take a second look
            bring(firewall, diff(first, firewall.read(None)))
        assert first == firewall.read(None)

        bring(firewall, diff(second, firewall.read([*first, *second])))
        assert second == firewall.read([*first, *second]) == firewall.read(None)
    assert foreign(before) == foreign(kernel.tables)


def bring(firewall: Firewall, change: Diff[Part, Ruleset]) -> None:
    """Apply a change as the loop does: deletions first."""
    for one in (Diff({}, {}, change.delete), Diff(change.create, change.change, {})):
        assert {} == firewall.apply(one)


@given(rules, st.integers(0, 100), st.sampled_from(RULES))
def test_one_rule_more_or_less_is_one_line(have: list[Rule], at: int, rule: Rule) -> None:
    without = [one for one in have if one != rule] or [RULES[0] if rule != RULES[0] else RULES[1]]
    both = [*without[: at % (len(without) + 1)], rule, *without[at % (len(without) + 1) :]]
    new = (rule.table, rule.chain) not in Ruleset.of(without).chains

    more = restore.script(made(without), Ruleset.of(both))
    less = restore.script(made(both), Ruleset.of(without))

    assert (3 if not new else 4 + len(Ruleset.of([rule]).jumps)) == len(more.splitlines())
    assert (3 if not new else 4 + len(Ruleset.of([rule]).jumps)) == len(less.splitlines())


def made(rules: Iterable[Rule]) -> dict[str, list[str]]:
    return restored({}, restore.script({}, Ruleset.of(rules)))
