"""Any ruleset: what is said of a packet is what iptables(8) says, and what cannot be known is never claimed."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cli.tracing.firewall import Fate, traverse
from cli.tracing.matching import Surroundings
from cli.tracing.rules import Rule, Ruleset, parse
from tests.tracing import packet, rules

PACKET = packet("tcp 10.1.0.10 203.0.113.9 80", inside="mg-1", outside="eth0")
TRUE, FALSE, UNKNOWN = "-p tcp", "-p udp", "-m set --match-set bad src"
CHAINS = ("FORWARD", "A", "B", "C")  # jumps lead to the right only, as the kernel demands


@st.composite
def lines(draw: st.DrawFn, tests: tuple[str, ...] = (TRUE, FALSE)) -> list[str]:
    """Return the lines of a ruleset of four chains."""
    found = []
    for i, chain in enumerate(CHAINS):
        targets = ["-j ACCEPT", "-j DROP", "-j RETURN", "", "-j LOG"]
        targets += [f"{how} {to}" for to in CHAINS[i + 1 :] for how in ("-j", "-g")]
        one = st.tuples(st.sampled_from(tests), st.sampled_from(targets))
        found += [f"-A {chain} {test} {target}".strip() for test, target in draw(st.lists(one, max_size=4))]
    return found


def made(given_lines: list[str], policy: str) -> Ruleset:
    heads = [f":FORWARD {policy} [0:0]", *(f":{chain} - [0:0]" for chain in CHAINS[1:])]
    return parse("\n".join(["*filter", *heads, *given_lines, "COMMIT"]))


def fate(ruleset: Ruleset) -> Fate:
    return traverse(ruleset, "filter", "FORWARD", PACKET, Surroundings()).fate


def by_the_manual(ruleset: Ruleset, chain: str) -> str | None:
    """Return the verdict of a chain, None where it returns: written as the manual explains it."""
    known = ruleset.chain("filter", chain)
    assert known is not None
    for rule in known.rules:
        if rule.matches[0].values != ("tcp",) or rule.target in {None, "LOG"}:
            continue
        if rule.target in {"ACCEPT", "DROP"}:
            return rule.target
        if rule.target == "RETURN":
            return None
        found = by_the_manual(ruleset, str(rule.target))
        if found is not None or rule.goto:
            return found
    return None


policies = st.sampled_from(["ACCEPT", "DROP"])


@given(lines(), policies)
def test_what_is_said_is_what_the_manual_says(given_lines: list[str], policy: str) -> None:
    ruleset = made(given_lines, policy)
    expected = by_the_manual(ruleset, "FORWARD") or policy

    assert {"ACCEPT": Fate.PASSES, "DROP": Fate.DROPPED}[expected] is fate(ruleset)


@given(lines(tests=(TRUE, FALSE, UNKNOWN)), policies)
def test_what_is_claimed_holds_whatever_the_unknown_matches_are(given_lines: list[str], policy: str) -> None:
    claimed = fate(made(given_lines, policy))
    doubtful = [i for i, line in enumerate(given_lines) if UNKNOWN in line][:6]
    worlds = set()
    for answers in itertools.product((TRUE, FALSE), repeat=len(doubtful)):
        world = list(given_lines)
        for i, answer in zip(doubtful, answers, strict=True):
            world[i] = world[i].replace(UNKNOWN, answer)
        worlds.add(fate(made(world, policy)))

    assert claimed is Fate.UNKNOWN or worlds == {claimed}


names = st.sampled_from(["-s", "-d", "-i", "-o", "-p", "-m", "--dport", "--comment", "--ctstate", "--mark"])
values = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


@given(st.lists(st.tuples(st.booleans(), names, values), max_size=5), st.text(max_size=20))
def test_a_rule_is_read_as_it_was_written(options: list[tuple[bool, str, str]], comment: str) -> None:
    safe = comment.translate({ord(c): " " for c in '\\"\n'})
    written = " ".join(f"{'! ' if negated else ''}{name} {value}" for negated, name, value in options)
    line = f'-A FORWARD {written} -m comment --comment "{safe}" -j DROP --with x'
    chain = rules(line).chain("filter", "FORWARD")
    assert chain is not None
    (found,) = chain.rules

    assert isinstance(found, Rule)
    assert [*options, (False, "-m", "comment")] == [(o.negated, o.name, o.values[0]) for o in found.matches[:-1]]
    assert ((safe,), "DROP") == (found.matches[-1].values, found.target)
