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
    """Reads and restores our chains; never looks at, nor changes, a rule of somebody else."""

    def __init__(self) -> None:
        self._saved: dict[Family, restore.Saved] = {}  # as last read: a change follows in the same pass

    def read(self, keys: Collection[Family] | None) -> Mapping[Family, Ruleset]:
        """Return what is there of ours."""
        found = {}
        for family in FAMILIES if keys is None else keys:
            self._saved[family] = self._save(family)
            if (ruleset := restore.ours(self._saved[family])) is not None:
                found[family] = ruleset
        return found

    def apply(self, change: Diff[Family, Ruleset]) -> Mapping[Family, str]:
        """Bring each family's chains to what is wanted in one restore.

        Where somebody was at our chains since they were read the restore fails as a whole, and is tried again.
        """
        failed: dict[Family, str] = {}
        wanted: dict[Family, Ruleset | None] = {**change.create, **change.change, **dict.fromkeys(change.delete)}
        for family, ruleset in wanted.items():
            try:
                saved = self._saved.pop(family, None)
                script = restore.script(self._save(family) if saved is None else saved, ruleset)
                self._restore(family, script)
            except (OSError, subprocess.SubprocessError) as error:
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
