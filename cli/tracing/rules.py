"""What `iptables-save` prints, as values: tables, chains, rules; not what they mean to a packet."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping, Sequence

TABLES = ("raw", "mangle", "nat", "filter", "security")


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One match or option of a rule: `! -s 10.0.0.0/8` is ("-s", ("10.0.0.0/8",), negated)."""

    name: str
    values: tuple[str, ...] = ()
    negated: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One line.  `target` is a chain or an extension, None where the rule only counts; `goto` is `-g`."""

    chain: str
    text: str  # without `-A CHAIN`
    matches: tuple[Option, ...] = ()
    target: str | None = None
    arguments: tuple[Option, ...] = ()
    goto: bool = False

    @property
    def ours(self) -> bool:
        """Whether Moorage made it."""
        return self.chain.startswith("MOORAGE-") or any(
            option.name == "--comment" and option.values[0].startswith("moorage:") for option in self.matches
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """Rules in order; `policy` is what becomes of packets that reach the end of a built-in chain."""

    name: str
    policy: str | None
    rules: tuple[Rule, ...] = ()


Tables = Mapping[str, Mapping[str, Chain]]  # table -> chain -> rules


@dataclasses.dataclass(frozen=True, slots=True)
class Ruleset:
    """All tables of one address family; `notes` is what is there beside them and was not read."""

    tables: Tables = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def chain(self, table: str, name: str) -> Chain | None:
        """Return a chain; None where there is none."""
        return self.tables.get(table, {}).get(name)


class NotRules(ValueError):
    """The text is not what `iptables-save` prints."""


def parse(text: str) -> Ruleset:
    """Return the rules that `iptables-save` printed.

    Raises:
        NotRules: a line is none of its.

    """
    tables: dict[str, dict[str, tuple[str | None, list[Rule]]]] = {}
    notes: list[str] = []
    here: dict[str, tuple[str | None, list[Rule]]] = {}
    for line in filter(None, map(str.strip, text.split("\n"))):  # a comment may hold other ends of lines
        if line.startswith("# Warning:"):  # of the other of the two backends
            notes.append(line.removeprefix("# Warning:").strip())
        elif line.startswith("*"):
            here = tables.setdefault(line[1:], {})
        elif line.startswith(":"):
            name, policy, *_ = (*line[1:].split(), "-")
            here[name] = (None if policy == "-" else policy, [])
        elif line.startswith("-A ") or (line.startswith("[") and "] -A " in line):
            made = rule(line[line.index("-A ") :])
            here.setdefault(made.chain, (None, []))[1].append(made)
        elif not line.startswith("#") and line != "COMMIT":
            raise NotRules(f"not a line of iptables-save: {line!r}")
    return Ruleset(
        {
            table: {name: Chain(name, policy, tuple(rules)) for name, (policy, rules) in chains.items()}
            for table, chains in tables.items()
        },
        tuple(notes),
    )


def rule(line: str) -> Rule:
    """Return the rule of a line `-A CHAIN ...`.

    Raises:
        NotRules: its quotes do not end, or it names no chain.

    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise NotRules(f"{error}: {line!r}") from error
    if len(words) < 2 or words[0] != "-A":
        raise NotRules(f"names no chain: {line!r}")
    matches: list[Option] = []
    arguments: list[Option] = []
    target: str | None = None
    goto = False
    for option in _options(words[2:]):
        if option.name in {"-j", "-g", "--jump", "--goto"} and option.values and target is None:
            target, goto = option.values[0], option.name in {"-g", "--goto"}
        else:
            (matches if target is None else arguments).append(option)
    text = line[2:].strip().removeprefix(words[1]).strip()
    return Rule(words[1], text, tuple(matches), target, tuple(arguments), goto)


def _options(words: Sequence[str]) -> Iterator[Option]:
    """Cut words into options: a `!` belongs to the option after it, words without a dash to the one before them."""
    found: list[tuple[str, list[str], bool]] = []
    negate = False
    for word in words:
        is_text = bool(found) and found[-1][0] in _TEXTS and not found[-1][1]
        if is_text or (found and not negate and not _names(word) and word != "!"):
            found[-1][1].append(word)
        elif word == "!":
            negate = True
        else:
            found.append((word, [], negate))
            negate = False
    for name, values, negated in found:
        yield Option(name, tuple(values), negated)


_TEXTS = {"--comment", "--log-prefix", "--nflog-prefix", "--string", "--hex-string"}  # whose value may begin with `-`


def _names(word: str) -> bool:
    """Say whether a word is the name of an option, not a (negative) number or a value."""
    return word.startswith("-") and len(word) > 1 and not word[1].isdigit()
