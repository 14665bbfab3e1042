"""Whatever our chains hold, one restore makes them what is wanted, and says no more than is needed."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from netplugin.plan import restore
from netplugin.plan.rules import CHAINS, Rule, Ruleset

OTHERS = {"filter": ["-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -j RETURN"]}
PLACES = [(table, chain) for table, chains in CHAINS.items() for chain in chains]
RULES = [Rule.make(table, chain, f"-p tcp --dport {port}") for table, chain in PLACES for port in range(1, 7)]
FOREIGN = [f"-A {chain} -j ACCEPT" for _, chain in PLACES]

rules = st.lists(st.sampled_from(RULES), unique=True)
wanted = st.none() | rules.map(Ruleset.of)


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
        jumps = [line(jump) for chain in chains for jump in Ruleset.of([Rule.make(table, chain, "")]).jumps]
        lines += draw(st.lists(st.sampled_from(jumps), unique=True))
        late = [jump for jump in jumps if jump not in lines]
        found[table] = [*draw(st.lists(st.sampled_from(late), unique=True)), *lines] if late else lines
    return found


def restored(tables: dict[str, list[str]], script: str) -> dict[str, list[str]]:
    """Return what iptables-restore makes of it."""
    after = {name: list(lines) for name, lines in tables.items()}
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
            table.remove(f"-A {rest}")
        elif verb == "-F":
            table[:] = [old for old in table if not old.startswith(f"-A {chain} ")]
        elif verb == "-X":
            assert not [old for old in table if old.startswith(f"-A {chain} ") or old.endswith(f"-j {chain}")]
            table.remove(f":{chain} - [0:0]")
    return after


def quoted(text: str) -> str:
    words = text.split()
    words[5] = f'"{words[5]}"'
    return " ".join(words)


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
