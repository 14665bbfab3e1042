"""The wires between the nodes: they can be cut, and lose what they carry.

Each LAN is a Linux bridge in one network namespace that nothing leads out of.  The fabric has the first address of each
LAN and routes between them, and it knows no other networks: what a node sends with the address of a container comes to
nowhere back, as on the Internet.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Mapping

from lab.command import run
from lab.node import Link, Node
from lab.place import Place

LANS = {
    "mgmt": "10.77.0.0/24",  # Docker, OpenFlow, records
    "data": "10.77.1.0/24",  # tunnels
    "outside": "203.0.113.0/24",  # the world beyond (RFC 5737); no host is on it
}
PREROUTING = -300  # nftables priority ahead of br_netfilter, which skips chains that come after it


class Fabric(Node):
    """All the wires of a lab."""

    def __init__(self, place: Place, mtu: int = 1500, lans: Mapping[str, str] = LANS) -> None:
        super().__init__("fabric", place)
        self.lans = {name: ipaddress.IPv4Network(subnet) for name, subnet in lans.items()}
        self.mtu = mtu

    def boot(self) -> None:
        """Lay the wires."""
        super().boot()
        for lan, subnet in self.lans.items():
            self.ip("link", "add", lan, "mtu", self.mtu, "type", "bridge", "forward_delay", "0")
            self.ip("addr", "add", f"{subnet[1]}/{subnet.prefixlen}", "dev", lan)
            self.ip("link", "set", lan, "up")
        self.sysctl("net.ipv4.ip_forward", 1)
        self.sysctl("net.ipv4.icmp_ratelimit", 0)  # or questions to the name server that is not there would hang
        chains = {"pre": "prerouting", "mid": "forward", "post": "postrouting"}
        self._nft(
            "add table bridge lab",
            *(
                f"add chain bridge lab {chain} {{ type filter hook {hook} priority {PREROUTING}; }}"
                for chain, hook in chains.items()
            ),
        )

    def attach(self, node: Node, lan: str, name: str, last: int) -> Link:
        """Give `node` an interface `name` with address number `last` of a LAN, now and at each of its boots."""
        subnet = self.lans[lan]
        address = ipaddress.IPv4Interface(f"{subnet[last]}/{subnet.prefixlen}")
        return node.install(Link(self, lan, name, address, subnet[1]))

    def plug_in(self, node: Node, link: Link) -> None:
        """Give the running node its interface."""
        port = _port(node, link.lan)
        digest = hashlib.sha256(port.encode()).hexdigest()
        mac = "02:" + ":".join(digest[i : i + 2] for i in range(0, 10, 2))  # the same card after a reboot
        self.pull_out(node, link)  # left from before a crash
        for command in (
            f"add {port} mtu {self.mtu} type veth peer name {link.name} mtu {self.mtu} address {mac} netns {node.pid}",
            f"set {port} master {link.lan} up",
        ):
            self.ip("link", *command.split())
        if link.address is not None:
            node.ip("addr", "add", link.address, "dev", link.name)
        node.ip("link", "set", link.name, "up")
        if link is node.links[0] and link.gateway is not None:
            node.ip("route", "add", "default", "via", link.gateway)

    def pull_out(self, node: Node, link: Link) -> None:
        """Take the interface away: a dead network namespace answers pings until the kernel finds time to end it."""
        if self.running:
            self.ip("link", "del", _port(node, link.lan), check=False)

    # -- faults -------------------------------------------------------------------------------------------------------

    def cut(self, node: Node, lan: str | None = None) -> None:
        """Cut the wire of `node` (on one LAN, or all): the node sees its carrier go."""
        self._carrier(node, lan, "down")

    def plug(self, node: Node, lan: str | None = None) -> None:
        """Undo `cut`."""
        self._carrier(node, lan, "up")

    def partition(self, a: Node, b: Node, lan: str | None = None, *, oneway: bool = False) -> None:
        """Drop without a word what `a` sends to `b`, and `b` to `a` unless `oneway`; the carriers stay."""
        for name in [lan] if lan else self.lans:
            ways = [(a, b)] if oneway else [(a, b), (b, a)]
            for sender, receiver in ways:
                ports = f'iifname "{_port(sender, name)}" oifname "{_port(receiver, name)}"'
                self._nft(f"add rule bridge lab mid {ports} drop")

    def isolate(self, node: Node, lan: str | None = None) -> None:
        """Drop without a word everything to and from `node`; the carriers stay."""
        self.loss(node, 100, lan)

    def loss(self, node: Node, percent: float, lan: str | None = None) -> None:
        """Lose a share of the frames to and from `node`, each way."""
        some = "" if percent >= 100 else f"numgen random mod 1000 < {int(percent * 10)} "
        for name in [lan] if lan else self.lans:
            port = _port(node, name)
            self._nft(
                f'add rule bridge lab pre iifname "{port}" {some}drop',
                f'add rule bridge lab post oifname "{port}" {some}drop',
            )

    def heal(self) -> None:
        """End every fault."""
        self._nft("flush table bridge lab")
        for port in json.loads(self.ip("-j", "link", "show", "type", "veth")):
            self.ip("link", "set", port["ifname"], "up")

    def _carrier(self, node: Node, lan: str | None, state: str) -> None:
        for link in node.links:
            if lan in {None, link.lan}:
                self.ip("link", "set", _port(node, link.lan), state)

    def _nft(self, *commands: str) -> None:
        run(["nsenter", "-t", self.pid, "-n", "nft", "-f", "-"], stdin="\n".join(commands) + "\n")


def _port(node: Node, lan: str) -> str:
    """Return the fabric's end of a wire: at most 15 bytes, so the LAN may be shortened."""
    return f"{node.name}-{lan}"[:15]
