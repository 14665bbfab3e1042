"""The rules that bring a port of the host to its container, from wherever it is asked; pure.

From elsewhere through PREROUTING, from the host itself through OUTPUT.  Who reaches a container of his own network
this way is masqueraded: the container would else answer him directly, past the translation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netplugin.plan.claims import ANY
from netplugin.plan.rules import FORWARD_CHAIN, LOOPBACK_CHAIN, MASQUERADE_CHAIN, PUBLISHED_CHAIN, Rule
from records.model import IpAddress, IpNetwork, Published

DNAT = "-m conntrack --ctstate DNAT"


def translations(ports: Iterable[tuple[Published, IpAddress]]) -> Iterator[Rule]:
    """Yield a rule for each port of one family, with its container's address.

    A port of 127.0.0.1 is looked for in OUTPUT alone: PREROUTING comes before the kernel refuses loopback addresses on
    the wire, so a neighbour of the host could reach it.  One of ::1 has none: the kernel does not let the answer of
    another machine in (`netplugin.system.relay`).
    """
    ordered = sorted(ports, key=lambda p: (p[0].protocol, p[0].host_port, p[0].host_ip.packed))
    if any(ip.version == 6 for _, ip in ordered):
        yield Rule.make("nat", PUBLISHED_CHAIN, "-d ::1/128 -j RETURN")
    for row, ip in ordered:
        to = f"[{ip}]:{row.port}" if ip.version == 6 else f"{ip}:{row.port}"
        match = "" if row.host_ip in ANY else f"-d {row.host_ip} "
        chain = LOOPBACK_CHAIN if row.host_ip.is_loopback else PUBLISHED_CHAIN
        if ip.version == 4 or not row.host_ip.is_loopback:
            text = f"{match}-p {row.protocol} -m {row.protocol} --dport {row.host_port} -j DNAT --to-destination {to}"
            yield Rule.make("nat", chain, text)


def passage(routed: Sequence[tuple[str, IpNetwork]], gateways: str) -> Iterator[Rule]:
    """Yield what lets translated packets through; `routed` pairs gateway ports with the subnets behind them."""
    yield Rule.make("filter", FORWARD_CHAIN, f"-o {gateways} {DNAT} -j ACCEPT")
    for port, cidr in routed:
        yield Rule.make("nat", MASQUERADE_CHAIN, f"-s {cidr} -o {port} {DNAT} -j MASQUERADE")
    if any(cidr.version == 4 for _, cidr in routed):
        yield Rule.make("nat", MASQUERADE_CHAIN, f"-s 127.0.0.0/8 -o {gateways} {DNAT} -j MASQUERADE")
