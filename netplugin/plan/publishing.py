"""The rules that bring a port of the host to its container, from wherever it is asked; pure.

From elsewhere through PREROUTING, from the host itself through OUTPUT.  Who reaches a container of his own network
this way is masqueraded: the container would else answer him directly, past the translation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netplugin.plan.claims import ANY
from netplugin.plan.rules import FORWARD_CHAIN, LOOPBACK_CHAIN, MASQUERADE_CHAIN, PUBLISHED_CHAIN, Rule, span
from records.model import IpAddress, IpNetwork, Published

DNAT = "-m conntrack --ctstate DNAT"


def served(row: Published) -> bool:
    """Whether a rule serves the port.

    None does one of ::1: the kernel does not let the answer of another machine in (`netplugin.system.relay`).
    """
    return row.host_ip.version == 4 or not row.host_ip.is_loopback


def translations(ports: Iterable[tuple[Published, IpAddress]]) -> Iterator[Rule]:
    """Yield a rule for each port of one span, with its container's address.

    A port of 127.0.0.1 is looked for in OUTPUT alone: PREROUTING comes before the kernel refuses loopback addresses on
    the wire, so a neighbour of the host could reach it.
    """
    for row, ip in sorted(ports, key=lambda p: (p[0].host_port, p[0].host_ip.packed)):
        to = f"[{ip}]:{row.port}" if ip.version == 6 else f"{ip}:{row.port}"
        base = LOOPBACK_CHAIN if row.host_ip.is_loopback else PUBLISHED_CHAIN
        match = f"{_asked(row.host_ip)}-p {row.protocol} -m {row.protocol} --dport {row.host_port}"
        yield Rule.make("nat", span(row).chain(base), f"{match} -j DNAT --to-destination {to}")


def _asked(host_ip: IpAddress) -> str:
    """Return the match of the address that a port is asked by."""
    if host_ip not in ANY:
        return f"-d {host_ip} "
    return "" if host_ip.version == 4 else "! -d ::1/128 "


def passage(routed: Sequence[tuple[str, IpNetwork]], gateways: str) -> Iterator[Rule]:
    """Yield what lets translated packets through; `routed` pairs gateway ports with the subnets behind them."""
    yield Rule.make("filter", FORWARD_CHAIN, f"-o {gateways} {DNAT} -j ACCEPT")
    for port, cidr in routed:
        yield Rule.make("nat", MASQUERADE_CHAIN, f"-s {cidr} -o {port} {DNAT} -j MASQUERADE")
    if any(cidr.version == 4 for _, cidr in routed):
        yield Rule.make("nat", MASQUERADE_CHAIN, f"-s 127.0.0.0/8 -o {gateways} {DNAT} -j MASQUERADE")
