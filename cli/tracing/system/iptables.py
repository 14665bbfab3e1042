"""The rules of iptables and ip6tables as they are now."""

from __future__ import annotations

import dataclasses
import json
import subprocess

from cli.tracing.facts import CannotLook
from cli.tracing.rules import NotRules, Ruleset, parse

WITHIN = 20.0  # seconds for one run
TOOL = {4: "iptables-save", 6: "ip6tables-save"}
COMPATIBLE = {"filter", "nat", "mangle", "raw", "security"}  # tables of nftables that are iptables' own


def read(version: int) -> Ruleset:
    """Return all rules of a family; the notes name what else may drop packets here.  Raises CannotLook."""
    tool = TOOL[version]
    try:
        rules = parse(_run([tool]))
    except NotRules as error:
        raise CannotLook(f"{tool}: {error}") from error
    family = "ip" if version == 4 else "ip6"
    notes = [f"nftables table {table} is not looked at" for table in _foreign(family)]
    return dataclasses.replace(rules, notes=(*rules.notes, *notes))


def _run(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=WITHIN, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotLook(f"{argv[0]}: {error}") from error
    if done.returncode:
        raise CannotLook(f"{argv[0]}: {done.stderr.strip()}")
    return done.stdout


def _foreign(family: str) -> list[str]:
    """Return the tables of nftables that iptables does not know; none where there is no `nft` to ask."""
    try:
        listed = json.loads(_run(["nft", "-j", "list", "tables"]))
    except (CannotLook, ValueError):
        return []
    tables = (entry["table"] for entry in listed.get("nftables", ()) if "table" in entry)
    return [
        f"{t['family']} {t['name']}"
        for t in tables
        if t["family"] in {family, "inet", "netdev"} and not (t["family"] == family and t["name"] in COMPATIBLE)
    ]
