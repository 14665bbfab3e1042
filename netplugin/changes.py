"""Which keys of the loop a change of the records concerns; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from daemonkit.loop import Key
from netplugin.plan.reservations import reservation_key
from netplugin.plan.rules import parts
from netplugin.plan.wiring import endpoint_key
from records.model import Address, Block, Endpoint, Host, Published, Space, Tenant
from records.store import Change

NOTHING = (Address, Block, Space, Tenant)  # no link, port or rule is made of these


def concerned(changes: Iterable[Change]) -> set[Key] | None:
    """Return the keys to look at, or None for all."""
    keys: set[Key] = set()
    for change in changes:
        mine = _concerned(change)
        if mine is None:
            return None
        keys |= mine
    return keys


def _concerned(change: Change) -> set[Key] | None:
    record = change.new or change.old
    if isinstance(record, Endpoint):
        if isinstance(change.old, Endpoint) and isinstance(change.new, Endpoint) and _as_wired(change.old, change.new):
            return set()
        return {("links", endpoint_key(record)), ("ports", endpoint_key(record))}
    if isinstance(record, Published):
        key = reservation_key(record)
        return {("reservations", key), ("connections", key), *(("firewall", part) for part in parts(record))}
    if isinstance(record, Host):
        return set() if change.old is not None and change.new is not None else None
    return set() if isinstance(record, NOTHING) else None


def _as_wired(old: Endpoint, new: Endpoint) -> bool:
    """Whether only what the controller and Docker note has changed."""
    return dataclasses.replace(old, sandbox=new.sandbox, up=new.up, problem=new.problem) == new
