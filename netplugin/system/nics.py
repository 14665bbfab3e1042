"""What the machine's own interfaces are: looked at before one becomes an uplink, changed never."""

from __future__ import annotations

import contextlib
from pathlib import Path

from daemonkit.errors import Unavailable
from netplugin.plan.wiring import UPLINK
from netplugin.system.bridge import ID
from netplugin.system.netlink import Netlink
from netplugin.system.openvswitch import OpenVSwitch
from netplugin.uplinks import Nic

IFF_LOOPBACK = 8  # netdevice(7)
KERNEL_DATAPATH = "ovs-system"  # the kernel shows it as the master of every port of Open vSwitch


class Nics:
    """Looks at interfaces; any thread may use it."""

    def __init__(self, openvswitch: OpenVSwitch) -> None:
        self._openvswitch = openvswitch

    def look(self, name: str) -> Nic | None:
        """Return what the interface is, or None.

        Raises:
            Unavailable: Open vSwitch does not tell whether it is a port of a bridge.

        """
        at = Path("/sys/class/net") / name
        try:
            mtu, flags = int((at / "mtu").read_text()), int((at / "flags").read_text(), 16)
            index = int((at / "ifindex").read_text())
        except OSError:
            return None
        with contextlib.closing(Netlink()) as netlink:
            addresses = tuple(f"{ip}/{length}" for ip, length in netlink.addresses(index))
        return Nic(mtu, bool(flags & IFF_LOOPBACK), self._bridge(name, at), addresses)

    def _bridge(self, name: str, at: Path) -> str | None:
        with contextlib.suppress(OSError):
            master = (at / "master").readlink().name
            if master != KERNEL_DATAPATH:
                return master
        try:
            with self._openvswitch.rows() as rows:
                if any(row.external_ids.get(ID, "").startswith(UPLINK) for row in rows("Interface", name)):
                    return None
                ports = {row.uuid for row in rows("Port", name)}
                found = (row.name for row in rows("Bridge") if any(port.uuid in ports for port in row.ports))
                return next(found, None)
        except OSError as error:
            raise Unavailable("Open vSwitch", str(error)) from error
