"""Actuator of the firewall: our own chains, and one jump to each, by iptables-save and iptables-restore."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterator, Mapping

from daemonkit.diff import Diff
from netplugin.plan.firewall import FAMILIES, FORWARD_CHAIN, MASQUERADE_CHAIN, Family, Rule, Ruleset

TABLES = {"nat": MASQUERADE_CHAIN, "filter": FORWARD_CHAIN}
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
            for table, own in TABLES.items():
                for line in self._save(family, table):
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
        return "".join(
            f"{line}\n" for table, own in TABLES.items() for line in self._table(family, table, own, ruleset)
        )

    def _table(self, family: Family, table: str, own: str, ruleset: Ruleset | None) -> Iterator[str]:
        """Yield a table's restore lines: with --noflush, naming a chain empties it and touches no other."""
        jumps = [] if ruleset is None else [j for j in ruleset.jumps if j.table == table]
        yield f"*{table}"
        yield f":{own} - [0:0]"
        have = [line for line in self._save(family, table) if COMMENT.search(line) and line.split()[1] != own]
        keep = {digest for line in have if (digest := COMMENT.search(line)[1]) in {j.digest for j in jumps}}  # type: ignore[index]
        for line in have:
            if COMMENT.search(line)[1] not in keep:  # type: ignore[index]
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

    def _save(self, family: Family, table: str) -> list[str]:
        done = subprocess.run(
            [f"{TOOL[family]}-save", "-t", table], capture_output=True, text=True, timeout=WITHIN, check=False
        )
        if done.returncode:
            raise OSError(f"{TOOL[family]}-save: {done.stderr.strip()}")
        return [line for line in done.stdout.splitlines() if line.startswith((":", "-A"))]

    def _restore(self, family: Family, script: str) -> None:
        argv = [f"{TOOL[family]}-restore", "--noflush", "-w", "5"]
        subprocess.run(argv, input=script, capture_output=True, text=True, timeout=WITHIN, check=True)
