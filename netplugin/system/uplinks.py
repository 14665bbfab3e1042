"""Actuator of the uplinks' interfaces: they are the machine's, so all it does is to set them up."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyroute2.netlink.exceptions import NetlinkError

from daemonkit.diff import Diff
from netplugin.plan.wiring import UPLINK, Key, Nic
from netplugin.system.bridge import ID, OURS, OWNER
from netplugin.system.netlink import Netlink
from netplugin.system.openvswitch import OpenVSwitch


class Uplinks:
    """Looks at the interfaces that are ports of ours, and never takes anything away from them."""

    def __init__(self, openvswitch: OpenVSwitch, netlink: Netlink) -> None:
        self._openvswitch = openvswitch
        self._netlink = netlink

    def read(self, keys: Collection[Key] | None) -> Mapping[Key, Nic]:
        """Return those that exist; an interface bears no mark of ours, but its port in Open vSwitch does."""
        with self._openvswitch.rows() as rows:
            marked = [row.external_ids for row in rows("Interface")]
        ours = {Key(ids[ID]) for ids in marked if ids.get(OWNER) == OURS and ids.get(ID, "").startswith(UPLINK)}
        wanted = ours if keys is None else ours & set(keys)
        names = [key.removeprefix(UPLINK) for key in wanted]
        return {
            Key(UPLINK + found.name): Nic(found.name, up=found.up)
            for found in self._netlink.interfaces(names, prefix="")
        }

    def apply(self, change: Diff[Key, Nic]) -> Mapping[Key, str]:
        """Set interfaces up; one that is no uplink any more stays as it is."""
        failed: dict[Key, str] = {}
        for key, nic in [*change.create.items(), *change.change.items()]:
            try:
                self._netlink.call("set", index=self._netlink.index(nic.name), state="up")
            except (NetlinkError, OSError) as error:
                failed[key] = f"uplink {nic.name}: {error}"
        return failed
