"""Actuator of the uplinks' interfaces: they are the machine's, so all it does to them is to set them up.

The userspace datapath keeps the device open that it found: when the interface goes (a driver is loaded anew, a card
pulled) and comes back under its name, Open vSwitch holds on to the one that is gone, and sends into nowhere.  So the
port is marked with the number of the interface, and opened anew when that is another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from daemonkit.diff import Diff
from netplugin.plan.wiring import UPLINK, Key, Nic
from netplugin.system.bridge import ID, OURS, OWNER
from netplugin.system.netlink import Netlink
from netplugin.system.openvswitch import OpenVSwitch

OPENED = "moorage-ifindex"  # number of the interface that Open vSwitch has open


class Uplinks:
    """Looks at the interfaces that are ports of ours, and never takes anything away from them."""

    def __init__(self, openvswitch: OpenVSwitch, netlink: Netlink) -> None:
        self._openvswitch = openvswitch
        self._netlink = netlink

    def read(self, keys: Collection[Key] | None) -> Mapping[Key, Nic]:
        """Return those that exist; an interface bears no mark of ours, but its port in Open vSwitch does."""
        with self._openvswitch.rows() as rows:
            names = [None] if keys is None else [key.removeprefix(UPLINK) for key in keys]
            found = [row for name in names for row in rows("Interface", name)]
            ours = {row.name: row.external_ids.get(OPENED) for row in found if _ours(row)}
        return {
            Key(UPLINK + there.name): Nic(there.name, up=there.up, opened=ours[there.name] == str(there.index))
            for there in self._netlink.interfaces(ours, prefix="")
        }

    def apply(self, change: Diff[Key, Nic]) -> Mapping[Key, str]:
        """Set interfaces up; one that is no uplink any more stays as it is."""
        failed: dict[Key, str] = {}
        for key, nic in [*change.create.items(), *change.change.items()]:
            try:
                self._set(nic.name)
            except (NetlinkError, OSError) as error:
                failed[key] = f"uplink {nic.name}: {error}"
        return failed

    def _set(self, name: str) -> None:
        try:
            index = self._netlink.index(name)
        except OSError:
            self._open(name, None)
            raise OSError("there is no such interface on this host (any more)") from None
        self._open(name, index)
        self._netlink.call("set", index=index, state="up")

    def _open(self, name: str, index: int | None) -> None:
        """Have Open vSwitch open the interface of this number, which the port's mark then tells."""
        with self._openvswitch.rows() as rows:
            had = next((row.external_ids.get(OPENED) for row in rows("Interface", name)), None)
        if had not in (None, str(index)):
            self._reopen(name)
        if index is not None:
            self._openvswitch.transact(lambda _, rows: _mark(rows("Interface", name), index))

    def _reopen(self, name: str) -> None:
        """Take the port out and put it in again; in one transaction Open vSwitch would keep what it has open."""
        kept: dict[str, Any] = {}

        def out(_: Any, rows: Any) -> None:
            for row in rows("Interface", name):
                ids = {key: value for key, value in row.external_ids.items() if key != OPENED}
                kept.update(ofport_request=row.ofport_request, external_ids=ids)
            for port in rows("Port", name):
                for bridge in rows("Bridge"):
                    if any(one.uuid == port.uuid for one in bridge.ports):
                        kept["bridge"] = bridge.name
                        bridge.delvalue("ports", port)

        def back(txn: Any, rows: Any) -> None:
            interface = txn.insert(txn.idl.tables["Interface"])
            interface.name = name
            interface.ofport_request, interface.external_ids = kept["ofport_request"], kept["external_ids"]
            port = txn.insert(txn.idl.tables["Port"])
            port.name, port.interfaces, port.external_ids = name, [interface], {OWNER: OURS}
            for bridge in rows("Bridge", kept["bridge"]):
                bridge.addvalue("ports", port)

        self._openvswitch.transact(out)
        self._openvswitch.followed()
        if "bridge" in kept:
            self._openvswitch.transact(back)


def _ours(row: Any) -> bool:
    ids = row.external_ids
    return bool(ids.get(OWNER) == OURS and ids.get(ID) == UPLINK + row.name)


def _mark(rows: Iterator[Any], index: int) -> None:
    for row in rows:
        row.setkey("external_ids", OPENED, str(index))
