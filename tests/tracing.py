"""A host that a trace can ask, without a system: containers, routes, rules, and the switch's recorded answers."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path

from cli.tracing.facts import Attachment, Container, NoRoute, Route, Sending
from cli.tracing.packet import Packet
from cli.tracing.places import Site
from cli.tracing.rules import Ruleset, parse
from records.model import IpAddress, IpInterface

GOLDEN = Path(__file__).parent / "golden" / "trace"


def golden(name: str) -> str:
    """Return a recorded output."""
    return (GOLDEN / name).read_text()


def packet(text: str, **fields: object) -> Packet:
    """Return a packet of `tcp 10.1.0.2 10.2.0.3 80`."""
    protocol, src, dst, *port = text.split()
    made = Packet.request(
        protocol, ipaddress.ip_address(src), ipaddress.ip_address(dst), int(port[0]) if port else None
    )
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]  # as the test writes them


def rules(*lines: str, table: str = "filter", policy: str = "ACCEPT") -> Ruleset:
    """Return a ruleset of lines `-A CHAIN ...`; chains are made as they are named."""
    built_in = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
    own = sorted({line.split()[1] for line in lines} - set(built_in))
    head = [*(f":{name} {policy} [0:0]" for name in built_in), *(f":{name} - [0:0]" for name in own)]
    return parse("\n".join([f"*{table}", *head, *lines, "COMMIT"]))


@dataclasses.dataclass
class FakeHost:
    """A host; tests set its fields.  `flows` answers what `ofproto/trace` would."""

    flows: Callable[[str], str] = lambda flow: f"Flow: {flow}\n"
    routes: dict[str, Route] = dataclasses.field(default_factory=dict)  # by destination
    inside: dict[tuple[str, str], Sending] = dataclasses.field(default_factory=dict)  # by container and destination
    saved: dict[int, Ruleset] = dataclasses.field(default_factory=dict)
    own: dict[str, tuple[IpInterface, ...]] = dataclasses.field(default_factory=dict)
    numbers: dict[str, int | None] = dataclasses.field(default_factory=dict)
    containers: list[Container] = dataclasses.field(default_factory=list)
    forwarding: bool = True
    closed: set[int] = dataclasses.field(default_factory=set)  # ports that nothing listens on
    asked: list[str] = dataclasses.field(default_factory=list)

    def trace(self, flow: str) -> str:
        self.asked.append(flow)
        return self.flows(flow)

    def ports(self) -> Mapping[str, int | None]:
        return self.numbers

    def route(self, dst: IpAddress, src: IpAddress | None = None, inside: str | None = None, mark: int = 0) -> Route:
        if str(dst) not in self.routes:
            raise NoRoute("it has no route there")
        return self.routes[str(dst)]

    def sending(self, container: Container, dst: IpAddress, interface: str | None = None) -> Sending:
        if (container.name, str(dst)) not in self.inside:
            raise NoRoute("it has no route there")
        return self.inside[container.name, str(dst)]

    def listens(self, container: Container | None, protocol: str, address: IpAddress, port: int) -> bool | None:
        return None if protocol == "sctp" else port not in self.closed

    def rules(self, version: int) -> Ruleset:
        return self.saved.get(version, Ruleset())

    def addresses(self) -> Mapping[str, tuple[IpInterface, ...]]:
        return self.own

    def forwards(self, version: int) -> bool:
        return self.forwarding

    @property
    def site(self) -> Site:
        return Site(self.containers, self.numbers, self.own)

    def add(self, name: str, address: str, number: int, network: str = "web", **fields: object) -> Attachment:
        """Add a container on a network."""
        ip = ipaddress.ip_address(address)
        mac = "02:42:" + ":".join(f"{byte:02x}" for byte in ip.packed[-4:])
        attachment = Attachment(f"{number:064x}", network, f"mv-{number}", number, mac, ip, up=True)
        attachment = dataclasses.replace(attachment, **fields)  # type: ignore[arg-type]  # as the test writes them
        self.containers.append(Container(f"{number:x}" * 8, name, "running", (attachment,)))
        self.numbers[attachment.port] = attachment.ofport
        return attachment


def switching(macs: Mapping[str, str], ports: Mapping[str, int]) -> Callable[[str], str]:
    """Return a switch that knows MACs by address, ports by destination (`IN_PORT DST` or `DST`), and drops the rest."""

    def trace(flow: str) -> str:
        fields = dict(part.partition("=")[::2] for part in flow.split(","))
        asked = fields.get("arp_tpa") or fields.get("nd_target")
        if asked in macs:
            told = f"arp,arp_sha={macs[asked]}" if "arp_tpa" in fields else f"icmp6,nd_tll={macs[asked]}"
            return _table(8, "IN_PORT", flow) + f"\nFinal flow: {told}\nDatapath actions: 1\n"
        to = fields.get("nw_dst") or fields.get("ipv6_dst")
        number = ports.get(f"{fields['in_port']} {to}", ports.get(str(to)))
        if asked is None and number is not None:
            return _table(36, f"output:NXM_NX_REG3[]\n     -> output port is {number}", flow)
        return _table(16, "load:0xe->NXM_NX_REG9[]\n    goto_table:60", flow) + "60. reg9=0xe, priority 100\n    drop\n"

    return trace


def _table(number: int, actions: str, flow: str) -> str:
    head = f'Flow: {flow}\n\nbridge("moorage0")\n------------------\n'
    return f"{head}{number:2}. ip, priority 100, cookie 0x4d4f05983e5d15df\n    {actions}\n"
