"""The rules that keep networks apart at the host, which forwards between them and has services of its own; pure.

The switch has seen to all of it for what goes by its flows; these hold also while it has none, or wrong ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from netplugin.plan.rules import BYPASS_CHAIN, FORWARD_CHAIN, INPUT_CHAIN, Rule
from records.model import GATEWAY_PORT, Gateway, IpNetwork, Isolation, Network, Vrf, gateway_port

ALL_GATEWAYS = f"{GATEWAY_PORT}+"  # every gateway port of ours, and nobody else's interface
Routed: TypeAlias = tuple[Vrf, Network, IpNetwork]  # a subnet with a gateway on this host


# Who comes in by a gateway port is one that the host would answer by it: one rule, whatever the number of networks.
TRUE_SOURCES = Rule.make("raw", BYPASS_CHAIN, f"-i {ALL_GATEWAYS} -m rpfilter --invert -j DROP")


def forwarding(routed: Sequence[Routed]) -> Iterator[Rule]:
    """Yield the forwarding rules: what was let through goes on, own sources out, between networks what is open.

    `ACCEPT` is due because dockerd sets the policy of FORWARD to DROP.
    """

    def rule(text: str) -> Rule:
        return Rule.make("filter", FORWARD_CHAIN, text)

    for side in ("-i", "-o"):
        yield rule(f"{side} {ALL_GATEWAYS} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
    for vrf, network, cidr in routed:
        if network.isolation is Isolation.OPEN:
            yield rule(f"-i {ALL_GATEWAYS} -o {gateway_port(vrf)} -d {cidr} -j ACCEPT")
    yield rule(f"-i {ALL_GATEWAYS} -o {ALL_GATEWAYS} -j DROP")
    for vrf, network, cidr in routed:
        yield rule(f"-i {gateway_port(vrf)} -s {cidr} -j ACCEPT")
        if network.gateway is Gateway.ROUTED:
            yield rule(f"-o {gateway_port(vrf)} -d {cidr} -j ACCEPT")
    yield rule(f"-i {ALL_GATEWAYS} -j DROP")
    yield rule(f"-o {ALL_GATEWAYS} -j DROP")


def host_services(routed: Sequence[Routed]) -> Iterator[Rule]:
    """Yield what containers may not ask of the host: the gateways of other networks, and broadcasts.

    Its other addresses are as open to them as to Docker's own bridge: what may use these is for the host's own rules.
    """

    def rule(text: str) -> Rule:
        return Rule.make("filter", INPUT_CHAIN, text)

    if not routed:
        return
    yield rule("-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN")
    yield rule("-m addrtype ! --dst-type LOCAL -j DROP")
    for vrf, _, cidr in routed:
        yield rule(f"-i {gateway_port(vrf)} -d {cidr} -j RETURN")
    for _, _, cidr in routed:
        yield rule(f"-d {cidr} -j DROP")
