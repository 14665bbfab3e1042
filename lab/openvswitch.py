"""A node with Open vSwitch: its database and its switch are processes of the node."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Unpack

from lab.command import Options, run, wait_for
from lab.node import Node

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
DATABASE = "/etc/openvswitch/conf.db"
SOCKET = "/run/openvswitch/db.sock"
CONTROL = "/run/openvswitch/ovs-vswitchd.ctl"


def datapath() -> str:
    """Return the datapath type that bridges get here: the kernel's if it has one, else the userspace one."""
    return "system" if Path("/sys/module/openvswitch").is_dir() else "netdev"


class WithOpenVSwitch(Node):
    """What a host does with Open vSwitch."""

    PRIVATE: ClassVar[tuple[str, ...]] = ("/etc/openvswitch", "/var/log/openvswitch")

    def start_ovs(self) -> None:
        """Start the database (made if there is none) and the switch."""
        if not self.path(DATABASE).exists():
            run(["ovsdb-tool", "create", self.path(DATABASE), SCHEMA])
        self.start_ovsdb()
        settings = [f"external_ids:system-id={self.name}", f"external_ids:hostname={self.name}"]
        # The kernel would do so as soon as ovs-vswitchd asks for it; now we know what there is
        run(["modprobe", "-q", "openvswitch"], check=False)
        if datapath() == "netdev":
            # Without it a container's TCP whose checksums are offloaded is dead, and all TCP ten times slower.
            # Read when ovs-vswitchd starts, and only then.
            settings.append("other_config:userspace-tso-enable=true")
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", *settings)
        self.start_vswitchd()

    def start_ovsdb(self) -> None:
        """Start ovsdb-server with the switch's database."""
        self.spawn(
            "ovsdb-server", "ovsdb-server", DATABASE,
            f"--remote=punix:{SOCKET}", "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
            "--unixctl=/run/openvswitch/ovsdb-server.ctl", "--pidfile=/run/openvswitch/ovsdb-server.pid",
        )  # fmt: skip
        wait_for(f"ovsdb-server on {self.name}", lambda: self.vsctl("--no-wait", "show") is not None)

    def start_vswitchd(self) -> None:
        """Start the switch."""
        self.spawn(
            "ovs-vswitchd", "ovs-vswitchd", f"unix:{SOCKET}",
            f"--unixctl={CONTROL}", "--pidfile=/run/openvswitch/ovs-vswitchd.pid",
        )  # fmt: skip
        wait_for(f"ovs-vswitchd on {self.name}", lambda: self.appctl("version"))

    def vsctl(self, *argv: object, **options: Unpack[Options]) -> str:
        """Run `ovs-vsctl` on the database; it waits up to 25 s for the switch to follow."""
        return run(["ovs-vsctl", f"--db=unix:{self.path(SOCKET)}", "--timeout=25", *argv], **options)

    def ofctl(self, command: str, bridge: str, *argv: object, **options: Unpack[Options]) -> str:
        """Run a command of `ovs-ofctl` (OpenFlow 1.3) on a bridge."""
        target = f"unix:{self.path('/run/openvswitch')}/{bridge}.mgmt"
        return run(["ovs-ofctl", "-O", "OpenFlow13", command, target, *argv], **options)

    def appctl(self, *argv: object, **options: Unpack[Options]) -> str:
        """Run `ovs-appctl` on ovs-vswitchd."""
        return run(["ovs-appctl", "-t", self.path(CONTROL), *argv], **options)
