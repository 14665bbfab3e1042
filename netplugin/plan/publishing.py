"""The rules that bring a port of the host to its container, from wherever it is asked; pure.

From elsewhere through PREROUTING, from the host itself through OUTPUT.  Who reaches a container of his own network
this way is masqueraded: the container would else answer him directly, past the translation.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

from netplugin.plan.claims import ANY
from netplugin.plan.rules import FORWARD_CHAIN, LOOPBACK_CHAIN, MASQUERADE_CHAIN, PUBLISHED_CHAIN, Rule
from records.model import IpAddress, IpNetwork, Protocol, Published

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
        if ip.version == 4 or not row.host_ip.is_loopback:
            yield _translation(row.protocol, row.host_ip, row.host_port, ip, row.port)


@functools.lru_cache(maxsize=2**14)  # of a thousand ports one changes
def _translation(protocol: Protocol, host_ip: IpAddress, host_port: int, ip: IpAddress, port: int) -> Rule:
    to = f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"
    match = "" if host_ip in ANY else f"-d {host_ip} "
    chain = LOOPBACK_CHAIN if host_ip.is_loopback else PUBLISHED_CHAIN
    text = f"{match}-p {protocol} -m {protocol} --dport {host_port} -j DNAT --to-destination {to}"
    return Rule.make("nat", chain, text)


def passage(routed: Sequence[tuple[str, IpNetwork]], gateways: str) -> Iterator[Rule]:
    """Yield what lets translated packets through; `routed` pairs gateway ports with the subnets behind them."""
    yield Rule.make("filter", FORWARD_CHAIN, f"-o {gateways} {DNAT} -j ACCEPT")
    for port, cidr in routed:
        yield Rule.make("nat", MASQUERADE_CHAIN, f"-s {cidr} -o {port} {DNAT} -j MASQUERADE")
    if any(cidr.version == 4 for _, cidr in routed):
        yield Rule.make("nat", MASQUERADE_CHAIN, f"-s 127.0.0.0/8 -o {gateways} {DNAT} -j MASQUERADE")
