"""A switch of the physical network that knows VLANs: trunks to hosts, untagged ports to other machines.

It is an Open vSwitch, since not every kernel has VLANs for its bridges and interfaces.
"""

from __future__ import annotations

import ipaddress

from lab.node import Link, Node
from lab.openvswitch import WithOpenVSwitch, datapath

BRIDGE = "vlans"
TRUNK = "trunk"


class VlanSwitch(WithOpenVSwitch):
    """The switch: it learns addresses and floods what it does not know, as any switch does."""

    def start(self) -> None:
        """Begin to switch."""
        self.boot()
        self.start_ovs()
        self.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, f"datapath_type={datapath()}")

    def trunk(self, node: Node, name: str) -> Link:
        """Give `node` an interface `name` that carries every VLAN, tagged, and has no address."""
        return node.install(Link(self, TRUNK, name))

    def access(self, node: Node, name: str, vlan: int, address: str) -> Link:
        """Give `node` an interface `name` that is in one VLAN and knows nothing of tags."""
        return node.install(Link(self, str(vlan), name, ipaddress.IPv4Interface(address)))

    def detach(self, node: Node, link: Link) -> None:
        """Take an interface away for good."""
        node.links.remove(link)
        self.pull_out(node, link)

    def plug_in(self, node: Node, link: Link, *, up: bool = True) -> None:
        """Give the running node its interface; it is for the node to set it up, if not `up`."""
        port = _port(node, link)
        self.pull_out(node, link)
        self.ip("link", "add", port, "type", "veth", "peer", "name", link.name, "netns", node.pid)
        self.ip("link", "set", port, "up")
        tag = [] if link.lan == TRUNK else [f"tag={link.lan}"]
        self.vsctl("add-port", BRIDGE, port, *tag)
        if link.address is not None:
            node.ip("addr", "add", link.address, "dev", link.name)
        if up:
            node.ip("link", "set", link.name, "up")

    def pull_out(self, node: Node, link: Link) -> None:
        """Take the interface away."""
        if self.running:
            self.vsctl("--if-exists", "del-port", BRIDGE, _port(node, link))
            self.ip("link", "del", _port(node, link), check=False)

    def carrier(self, node: Node, link: Link, *, on: bool) -> None:
        """Pull the plug of a wire, or put it back: the node sees its carrier go and come."""
        self.ip("link", "set", _port(node, link), "up" if on else "down")


def _port(node: Node, link: Link) -> str:
    return f"{node.name}-{link.lan}"[:15]
