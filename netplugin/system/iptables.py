"""Actuator of the firewall: our own chains, and the jumps to them, by iptables-save and iptables-restore."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping

from daemonkit.diff import Diff
from netplugin.plan import restore
from netplugin.plan.rules import FAMILIES, Family, Ruleset

TOOL = {"ipv4": "iptables", "ipv6": "ip6tables"}
WITHIN = 20.0  # seconds for one run: a lock held by somebody else for longer is a fault to report


class Firewall:
    """Reads and restores our chains; never looks at, nor changes, a rule of somebody else.

    What was read or restored is remembered until all is read anew: reading a thousand rules takes longer than changing
    one of them.
    """

    def __init__(self) -> None:
        self._there: dict[Family, tuple[restore.Saved, Ruleset | None]] = {}  # a family not in it: ask the kernel

    def read(self, keys: Collection[Family] | None) -> Mapping[Family, Ruleset]:
        """Return what is there of ours."""
        if keys is None:
            self._there.clear()
        families = FAMILIES if keys is None else keys
        return {family: ruleset for family in families if (ruleset := self._look(family)[1]) is not None}

    def _look(self, family: Family) -> tuple[restore.Saved, Ruleset | None]:
        if family not in self._there:
            saved = self._save(family)
            self._there[family] = saved, restore.ours(saved)
        return self._there[family]

    def apply(self, change: Diff[Family, Ruleset]) -> Mapping[Family, str]:
        """Bring each family's chains to what is wanted in one restore.

        Where somebody was at our chains since they were read the restore fails as a whole, and is tried again from what
        is there then.
        """
        failed: dict[Family, str] = {}
        wanted: dict[Family, Ruleset | None] = {**change.create, **change.change, **dict.fromkeys(change.delete)}
        for family, ruleset in wanted.items():
            try:
                self._restore(family, restore.script(self._look(family)[0], ruleset))
                self._there[family] = restore.shown(ruleset), ruleset
            except (OSError, subprocess.SubprocessError) as error:
                self._there.pop(family, None)
                failed[family] = f"{TOOL[family]}: {getattr(error, 'stderr', None) or error}"
        return failed

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
