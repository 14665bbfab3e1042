"""Actuators of the integration bridge and of its ports, both in Open vSwitch's database."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from daemonkit.diff import Diff
from netplugin.plan.bridge import Bridge
from netplugin.plan.wiring import UPLINK, Key, Port
from netplugin.system.openvswitch import OpenVSwitch
from records.model import GATEWAY_PORT, LINK

OWNER, OURS = "moorage-owner", "netplugin"
ID = "moorage-id"

Rows = Callable[..., Iterator[Any]]


class Bridges:
    """Makes the bridge; never deletes it: traffic of containers runs through it while no daemon of ours does."""

    def __init__(self, openvswitch: OpenVSwitch) -> None:
        self._openvswitch = openvswitch

    def read(self, keys: Collection[str] | None) -> Mapping[str, Bridge]:
        """Return the bridges that bear our mark."""
        with self._openvswitch.rows() as rows:
            return {
                row.name: Bridge(
                    row.name,
                    row.datapath_type or "system",
                    _one(row.fail_mode) or "standalone",
                    ",".join(row.protocols),
                )
                for row in rows("Bridge")
                if row.external_ids.get(OWNER) == OURS and (keys is None or row.name in keys)
            }

    def apply(self, change: Diff[str, Bridge]) -> Mapping[str, str]:
        """Make or mend the bridge."""
        for bridge in [*change.create.values(), *change.change.values()]:
            self._openvswitch.transact(functools.partial(_set_bridge, bridge))
        return {}


def _set_bridge(bridge: Bridge, txn: Any, rows: Rows) -> None:
    row = next(rows("Bridge", bridge.name), None)
    if row is None:
        row = txn.insert(txn.idl.tables["Bridge"])
        row.name = bridge.name
        local_interface = txn.insert(txn.idl.tables["Interface"])
        local_interface.name, local_interface.type = bridge.name, "internal"
        local = txn.insert(txn.idl.tables["Port"])
        local.name, local.interfaces = bridge.name, [local_interface]
        row.ports = [local]
        next(rows("Open_vSwitch")).addvalue("bridges", row)
    elif row.external_ids.get(OWNER) != OURS:
        raise OSError(f"a bridge {bridge.name} that is not Moorage's exists: remove it, or set [openvswitch] bridge")
    row.datapath_type, row.fail_mode, row.protocols = bridge.datapath, bridge.fail_mode, [bridge.protocol]
    row.setkey("external_ids", OWNER, OURS)
    # Else the bridge takes the lowest MAC of its ports, and another with each container (ovs-vswitchd.conf.db(5)).
    row.setkey("other_config", "hwaddr", "0e:" + hashlib.blake2b(bridge.name.encode(), digest_size=5).digest().hex(":"))


class Ports:
    """Adds and deletes ports: what one pass brings in one transaction, since each makes vswitchd look at all ports."""

    def __init__(self, openvswitch: OpenVSwitch, bridge: str) -> None:
        self._openvswitch = openvswitch
        self._bridge = bridge

    def read(self, keys: Collection[Key] | None) -> Mapping[Key, Port]:
        """Return the ports that bear our mark; one that Open vSwitch has not looked at yet counts as well placed."""
        found: dict[Key, Port] = {}
        with self._openvswitch.rows() as rows:
            if keys is None:
                interfaces = rows("Interface")
            else:
                interfaces = (row for key in keys for row in rows("Interface", _name(key)))
            for row in interfaces:
                ids = row.external_ids
                if ids.get(OWNER) == OURS and ID in ids:
                    found[Key(ids[ID])] = _port(row)
        return found

    def apply(self, change: Diff[Key, Port]) -> Mapping[Key, str]:
        """Make the change in one transaction: all of it, or none."""

        def make(txn: Any, rows: Rows) -> None:
            bridge = next(rows("Bridge", self._bridge), None)
            if bridge is None:
                raise OSError(f"bridge {self._bridge} does not exist")
            for port in [*change.delete.values(), *change.change.values()]:
                for row in rows("Port", port.name):
                    bridge.delvalue("ports", row)
            for key, port in [*change.create.items(), *change.change.items()]:
                if key in change.create:  # left by a mark that was lost
                    for row in rows("Port", port.name):
                        bridge.delvalue("ports", row)
                bridge.addvalue("ports", _insert(txn, key, port))

        self._openvswitch.transact(make)
        return {}


def _insert(txn: Any, key: Key, port: Port) -> Any:
    interface = txn.insert(txn.idl.tables["Interface"])
    interface.name = port.name
    interface.ofport_request = port.ofport
    marks = {OWNER: OURS, ID: key}
    if port.internal:
        interface.type, interface.mac = "internal", port.mac
        if port.mtu is not None:
            interface.mtu_request = port.mtu
    elif port.attached_mac:
        marks |= {"iface-id": key, "attached-mac": port.attached_mac}
    interface.external_ids = marks
    row = txn.insert(txn.idl.tables["Port"])
    row.name, row.interfaces, row.external_ids = port.name, [interface], {OWNER: OURS}
    return row


def _port(row: Any) -> Port:
    internal = row.type == "internal"
    asked = _one(row.ofport_request) or 0
    got, error = _one(row.ofport), _one(row.error)
    if got == -1:  # Open vSwitch could not add it: `error` says why
        problem = f"Open vSwitch: {error or 'could not add the port'}"
    elif got is not None and got != asked:
        problem = f"Open vSwitch gave it OpenFlow number {got}, not {asked}"
    else:
        problem = None
    return Port(
        row.name,
        asked,
        internal=internal,
        mac=_one(row.mac) if internal else None,
        mtu=_one(row.mtu_request) if internal else None,
        problem=problem,
    )


def _name(key: Key) -> str:
    if key.startswith(UPLINK):
        return key.removeprefix(UPLINK)
    return (GATEWAY_PORT if len(key) == 32 else LINK) + key[:12]


def _one(value: Any) -> Any:
    """Return the value of an optional column, or None: the IDL gives a list."""
    return (value[0] if value else None) if isinstance(value, list) else value
