"""Actuator of the firewall: our own chains, and the jumps to them, by iptables-save and iptables-restore."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Collection, Mapping

from daemonkit.diff import Diff
from netplugin.plan import restore
from netplugin.plan.rules import FAMILIES, Family, Part, Ruleset, chains_of, family_of

TOOL = {"ipv4": "iptables", "ipv6": "ip6tables"}
WITHIN = 20.0  # seconds for one run: a lock held by somebody else for longer is a fault to report


@dataclasses.dataclass(frozen=True, slots=True)
class _There:
    """What is there of a part: as iptables-save puts it, and as rules."""

    saved: restore.Saved
    ruleset: Ruleset | None


_NOTHING = _There({}, None)


class Firewall:
    """Reads and restores our chains; never looks at, nor changes, a rule of somebody else.

    What was read or restored is remembered until all is read anew: reading a thousand rules takes longer than changing
    one of them.
    """

    def __init__(self) -> None:
        self._there: dict[Family, dict[Part, _There]] = {}  # a family not in it: ask the kernel

    def read(self, keys: Collection[Part] | None) -> Mapping[Part, Ruleset]:
        """Return what is there of ours."""
        if keys is None:
            self._there.clear()
            keys = [key for family in FAMILIES for key in self._look(family)]
        there = {key: self._look(family_of(key)).get(key, _NOTHING).ruleset for key in keys}
        return {key: ruleset for key, ruleset in there.items() if ruleset is not None}

    def _look(self, family: Family) -> dict[Part, _There]:
        if family not in self._there:
            saved = restore.divided(family, self._save(family))
            self._there[family] = {
                part: _There(lines, restore.ours(lines, chains_of(part))) for part, lines in saved.items()
            }
        return self._there[family]

    def apply(self, change: Diff[Part, Ruleset]) -> Mapping[Part, str]:
        """Bring each family's chains to what is wanted in one restore.

        Where somebody was at our chains since they were read the restore fails as a whole, and is tried again from what
        is there then.  It may be the chain that leads to a span's which is missing, so that the family fails with it.
        """
        failed: dict[Part, str] = {}
        wanted: dict[Part, Ruleset | None] = {**dict.fromkeys(change.delete), **change.create, **change.change}
        for family in FAMILIES:
            mine = {part: ruleset for part, ruleset in wanted.items() if family_of(part) == family}
            try:
                self._bring(family, mine)
            except (OSError, subprocess.SubprocessError) as error:
                self._there.pop(family, None)
                reason = f"{TOOL[family]}: {getattr(error, 'stderr', None) or error}"
                failed |= dict.fromkeys((family, *mine), reason)
        return failed

    def _bring(self, family: Family, wanted: Mapping[Part, Ruleset | None]) -> None:
        """Restore parts of a family; its own chains lead to those of spans, and so come before them and go after."""
        if not wanted:
            return
        there = self._look(family)
        order = sorted(wanted, key=lambda part: 1 if part == family else 0 if wanted[part] is None else 2)
        scripts = (restore.script(there.get(part, _NOTHING).saved, wanted[part], chains_of(part)) for part in order)
        self._restore(family, "".join(scripts))
        for part, ruleset in wanted.items():
            there[part] = _There(restore.shown(ruleset), ruleset)

    def _save(self, family: Family) -> dict[str, list[str]]:
        """Return the chains and rules of each table, as they are; all of them, since one run costs less than three."""
        argv = [f"{TOOL[family]}-save"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=WITHIN, check=False)
        if done.returncode:
            raise OSError(f"{argv[0]}: {done.stderr.strip()}")
        return restore.parse(done.stdout)

    def _restore(self, family: Family, script: str) -> None:
        argv = [f"{TOOL[family]}-restore", "--noflush", "-w", "5"]
        subprocess.run(argv, input=script, capture_output=True, text=True, timeout=WITHIN, check=True)
