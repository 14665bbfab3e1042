"""What this host's iptables should hold for its networks, as rules in chains of our own; pure.

Everything is by interface name: `mg-+` is every gateway port of ours, and of nobody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from netplugin.plan.claims import reachable
from netplugin.plan.isolation import ALL_GATEWAYS, TRUE_SOURCES, Routed, forwarding, host_services
from netplugin.plan.publishing import passage, served, translations
from netplugin.plan.rules import (
    BYPASS_CHAIN,
    FAMILIES,
    MASQUERADE_CHAIN,
    SPREAD,
    Family,
    Part,
    Rule,
    Ruleset,
    Span,
    family,
    span,
)
from netplugin.plan.wiring import Wiring
from records.model import LINK, Gateway, IpAddress, Published, gateway_port
from records.snapshot import Records

ALL_ENDPOINTS = f"{LINK}+"  # the host's end of every link


class Firewall(Wiring):
    """Planner of the rules; the keys are the address families, and the spans of published ports."""

    __slots__ = ()

    def keys(self, source: Records) -> Collection[Part]:
        return {*FAMILIES, *map(span, self.published(source))}

    def want(self, source: Records, key: Part) -> Ruleset | None:
        return self._ports(source, key) if isinstance(key, Span) else self._networks(source, key)

    def _ports(self, source: Records, among: Span) -> Ruleset | None:
        """Return the rules of some published ports."""
        rules = list(translations(_reached(source, filter(among.holds, self.published_at(source, among.ports)))))
        return Ruleset.of(rules, among.chains) if rules else None

    def _networks(self, source: Records, key: Family) -> Ruleset | None:
        """Return the other rules of a family."""
        routed = sorted(self._routed(source, key), key=lambda r: (gateway_port(r[0]), str(r[2])))
        if not any(self.vrfs(source)) or (key == "ipv6" and not routed):
            return None  # IPv6 is off on the links' host ends (system/links.py): without a gateway nothing gets in
        masquerade = [
            Rule.make("nat", MASQUERADE_CHAIN, f"-s {cidr} ! -o {ALL_GATEWAYS} -j MASQUERADE")
            for _, network, cidr in routed
            if network.gateway is Gateway.NAT
        ]
        ports = [(gateway_port(vrf), cidr) for vrf, _, cidr in routed]
        publishes = any(_reached(source, (row for row in self.published(source) if family(row.host_ip) == key)))
        passed = list(passage(ports, ALL_GATEWAYS)) if publishes else []
        admitted = [_BYPASS, *_martians(key), TRUE_SOURCES]
        return Ruleset.of(
            [*admitted, *masquerade, *passed, *forwarding(routed), *host_services(routed)],
            empty=SPREAD[key] if publishes else (),
        )

    def _routed(self, source: Records, family: Family) -> Iterator[Routed]:
        """Yield each subnet of the family that has a gateway on this host."""
        version = 4 if family == "ipv4" else 6
        for vrf in self.vrfs(source):
            for on in source.docker_networks.of(vrf=vrf.id):
                network = source.networks.get(on.network)
                for subnet in source.subnets.of(network=on.network):
                    if network is None or not network.gateway_here:
                        continue
                    if subnet.gateway is not None and subnet.cidr.version == version:
                        yield vrf, network, subnet.cidr


def _reached(records: Records, ports: Iterable[Published]) -> Iterator[tuple[Published, IpAddress]]:
    """Yield each port that rules serve, with its container's address."""
    for row in filter(served, ports):
        endpoint = records.endpoints.get(row.endpoint)
        own = None if endpoint is None else reachable(records, endpoint, row.host_ip.version)
        if own is not None:
            yield row, own.ip


# The userspace datapath copies frames from a link's host end, and the host's own stack gets them too: a frame to the
# link's MAC, or a broadcast one, would go past the switch and all its checks into the host.
_BYPASS = Rule.make("raw", BYPASS_CHAIN, f"-i {ALL_ENDPOINTS} -j DROP")


def _martians(family: Family) -> Iterator[Rule]:
    """Yield what keeps containers off the host's loopback addresses: gateway ports have route_localnet for our answers.

    These come addressed to the gateway; the loopback address is put back after this table.
    """
    if family == "ipv4":
        for side in ("-s", "-d"):
            yield Rule.make("raw", BYPASS_CHAIN, f"-i {ALL_GATEWAYS} {side} 127.0.0.0/8 -j DROP")
