"""Actuator of the firewall: our own chains, and one jump to each, by iptables-save and iptables-restore."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterator, Mapping

from daemonkit.diff import Diff
from netplugin.plan.firewall import CHAINS, FAMILIES, Family, Rule, Ruleset

COMMENT = re.compile(r'--comment "?moorage:([0-9a-f]+)"?')
TOOL = {"ipv4": "iptables", "ipv6": "ip6tables"}
WITHIN = 20.0  # seconds for one run: a lock held by somebody else for longer is a fault to report


class Firewall:
    """Reads and restores our chains; never looks at, nor changes, a rule of somebody else."""

    def read(self, keys: Collection[Family] | None) -> Mapping[Family, Ruleset]:
        """Return what is there of ours."""
        found = {}
        for family in FAMILIES if keys is None else keys:
            rules, jumps, chains = [], set(), set()
            saved = self._save(family)
            for table, own in CHAINS.items():
                for line in saved.get(table, ()):
                    if line.startswith(f":{own} "):
                        chains.add(own)
                    elif (comment := COMMENT.search(line)) is not None:
                        chain = line.split()[1]
                        rule = Rule(table, chain, comment[1], line)
                        rules.append(rule) if chain == own else jumps.add(rule)
            if chains or jumps:
                found[family] = Ruleset(tuple(rules), frozenset(jumps))
        return found

    def apply(self, change: Diff[Family, Ruleset]) -> Mapping[Family, str]:
        """Bring each family's chains to what is wanted in one atomic restore."""
        failed: dict[Family, str] = {}
        wanted: dict[Family, Ruleset | None] = {**change.create, **change.change, **dict.fromkeys(change.delete)}
        for family, ruleset in wanted.items():
            try:
                self._restore(family, self._script(family, ruleset))
            except (OSError, subprocess.SubprocessError) as error:
                failed[family] = f"{TOOL[family]}: {getattr(error, 'stderr', None) or error}"
        return failed

    def _script(self, family: Family, ruleset: Ruleset | None) -> str:
        saved = self._save(family)
        lines = (line for table, own in CHAINS.items() for line in _table(table, own, saved.get(table, ()), ruleset))
        return "".join(f"{line}\n" for line in lines)

    def _save(self, family: Family) -> dict[str, list[str]]:
        """Return the chains and rules of each table, as they are; all of them, since one run costs less than three."""
        argv = [f"{TOOL[family]}-save"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=WITHIN, check=False)
        if done.returncode:
            raise OSError(f"{argv[0]}: {done.stderr.strip()}")
        tables: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            if line.startswith("*"):
                current = tables.setdefault(line[1:], [])
            elif line.startswith((":", "-A")):
                current.append(line)
        return tables

    def _restore(self, family: Family, script: str) -> None:
        argv = [f"{TOOL[family]}-restore", "--noflush", "-w", "5"]
        subprocess.run(argv, input=script, capture_output=True, text=True, timeout=WITHIN, check=True)


def _table(table: str, own: str, saved: Collection[str], ruleset: Ruleset | None) -> Iterator[str]:
    """Yield a table's restore lines: with --noflush, naming a chain empties it and touches no other."""
    jumps = [] if ruleset is None else [j for j in ruleset.jumps if j.table == table]
    have = {line: found[1] for line in saved if (found := COMMENT.search(line)) and line.split()[1] != own}
    keep = set(have.values()) & {jump.digest for jump in jumps}
    yield f"*{table}"
    yield f":{own} - [0:0]"
    for line, digest in have.items():
        if digest not in keep:
            yield f"-D {line.removeprefix('-A ')}"
    for jump in jumps:
        if jump.digest not in keep:
            yield f"-I {jump.chain} 1 -m comment --comment moorage:{jump.digest} {jump.text}"
    for rule in () if ruleset is None else ruleset.rules:
        if rule.table == table:
            yield f"-A {rule.chain} -m comment --comment moorage:{rule.digest} {rule.text}"
    if ruleset is None:
        yield f"-X {own}"
    yield "COMMIT"
