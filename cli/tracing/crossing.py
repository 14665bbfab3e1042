"""Through the host: its routing and the hooks of iptables, for packets that pass, end or begin there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cli.tracing.facts import Machine, NoRoute, Route
from cli.tracing.firewall import Fate, Hit, Passage, traverse
from cli.tracing.matching import LOCAL, Surroundings
from cli.tracing.packet import Packet
from cli.tracing.rules import Ruleset
from cli.tracing.story import Teller
from records.model import GATEWAY_PORT, LINK, IpAddress

SYSCTL = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


@dataclasses.dataclass(frozen=True, slots=True)
class Through:
    """A packet that the host lets through, and where it goes next (`route.local`: the host itself took it)."""

    packet: Packet
    route: Route


class Crossing:
    """One host's part of the story."""

    def __init__(self, machine: Machine, host: str, tell: Teller) -> None:
        self._machine = machine
        self._tell = tell
        self.where = f"host {host}"

    def enter(self, packet: Packet, inside: str) -> Through:
        """Follow a packet that comes in by an interface."""
        self._tell.say(self.where, f"comes in by {inside}: {packet.words}")
        packet = self._hooks(packet.at(inside=inside), "PREROUTING", ("raw", "mangle", "nat"))
        packet = self._restored(packet, arriving=True)
        route = self._route(packet, inside)
        if route.local:
            return Through(self._taken(packet), route)
        self._forwarding(packet)
        packet = self._hooks(packet.at(inside, route.interface), "FORWARD", ("mangle", "filter", "security"))
        return Through(self._leave(packet, route), route)

    def send(self, packet: Packet) -> Through:
        """Follow a packet that the host itself sends."""
        packet = dataclasses.replace(packet, from_host=True)
        self._tell.say(self.where, f"sends {packet.words}")
        route = self._route(packet, None)
        before = packet.ends.dst
        packet = self._hooks(
            packet.at(outside=route.interface), "OUTPUT", ("raw", "mangle", "nat", "filter", "security")
        )
        packet = self._restored(packet, arriving=True)
        if packet.ends.dst != before:
            route = self._route(packet, None)
            packet = packet.at(outside=route.interface)
        packet = self._leave(packet, route)
        if route.local:
            return Through(self._taken(self._hooks(packet.at(inside="lo"), "PREROUTING", ("raw", "mangle"))), route)
        return Through(packet, route)

    def _taken(self, packet: Packet) -> Packet:
        """Follow a packet that is for the host."""
        packet = self._hooks(packet.at(inside=packet.inside), "INPUT", ("mangle", "filter", "security", "nat"))
        packet = self._restored(packet, arriving=False)
        self._tell.say(self.where, f"is for the host itself, {packet.ends.dst}")
        return dataclasses.replace(packet, inside=None, from_host=False)

    def _leave(self, packet: Packet, route: Route) -> Packet:
        packet = self._hooks(packet.at(outside=route.interface), "POSTROUTING", ("mangle", "nat"))
        packet = self._restored(packet, arriving=False)
        return dataclasses.replace(packet, inside=None, outside=None, mark=0, from_host=False)

    def _restored(self, packet: Packet, *, arriving: bool) -> Packet:
        """Undo on a reply what was translated: its destination when it arrives, its source when it leaves."""
        if not packet.reply or not packet.tracked:
            return packet
        back = packet.first.back
        if arriving and packet.source_translated and packet.ends.dst != back.dst:
            self._tell.say(self.where, f"belongs to a translated connection: its destination becomes {back.dst} again")
            return packet.to(back.dst, back.dport)
        if not arriving and packet.destination_translated and packet.ends.src != back.src:
            self._tell.say(self.where, f"belongs to a translated connection: its source becomes {back.src} again")
            return packet.come_from(back.src, back.sport)
        return packet

    def _route(self, packet: Packet, inside: str | None) -> Route:
        try:
            route = self._machine.route(packet.ends.dst, packet.ends.src, inside, packet.mark)
        except NoRoute as error:
            why = str(error)
            if inside is not None and not self._machine.forwards(packet.version):
                why = f"this host forwards nothing ({SYSCTL[packet.version]} is 0)"
            raise self._tell.dropped(self.where, f"has no way to {packet.ends.dst}: {why}", why) from error
        if not route.local:
            via = f" via {route.gateway}" if route.gateway is not None else ""
            self._tell.say(self.where, f"the way to {packet.ends.dst} is {route.interface}{via}")
        return route

    def _way_back(self, address: IpAddress) -> str | None:
        """Return the interface that the host would send to an address by."""
        try:
            route = self._machine.route(address)
        except NoRoute:
            return None
        return LOCAL if route.local else route.interface

    def _forwarding(self, packet: Packet) -> None:
        if not self._machine.forwards(packet.version):
            why = f"this host forwards nothing ({SYSCTL[packet.version]} is 0)"
            raise self._tell.dropped(self.where, why, why)

    def _hooks(self, packet: Packet, hook: str, tables: Sequence[str]) -> Packet:
        rules, around = self._machine.rules(packet.version), Surroundings(self._machine.addresses(), self._way_back)
        for note in rules.notes:
            self._tell.notes.append(note)
        for table in tables:
            if table == "nat" and (packet.reply or not packet.tracked):
                continue  # conntrack asks these rules for the first packet only
            passage = traverse(rules, table, hook, packet, around)
            self._judge(passage, rules, table, hook, packet)
            packet = passage.packet
        return packet

    def _judge(self, passage: Passage, rules: Ruleset, table: str, hook: str, packet: Packet) -> None:
        """Tell what one table did; end where it lets nothing through."""
        tool = "iptables" if packet.version == 4 else "ip6tables"
        self._tell.notes += [f"{tool}: cannot judge this rule, but it makes no difference: {d}" for d in passage.doubts]
        name, by = f"{tool} {table} {hook}", passage.by
        if passage.fate is Fate.UNKNOWN:
            exactly = (f"{tool} {by.line}",) if by is not None else ()
            raise self._tell.unknown(self.where, f"{name}: cannot judge this rule: {passage.why}", *exactly)
        if passage.fate is not Fate.PASSES and by is not None:
            verb = "refused" if passage.fate is Fate.REJECTED else "dropped"
            why = because(by, packet)
            said = why if by.rule is None else f"{why}: {tool} {by.line}"
            raise self._tell.dropped(self.where, f"{name}: {verb} by {_whose(by)}", said, f"{tool} {by.line}")
        for hit in passage.hits:
            words = hit.words if hit.words != "ACCEPT" else "let through"
            self._tell.say(self.where, f"{name}: {words} by {_whose(hit)}", f"{tool} {hit.line}")
        chain = rules.chain(table, hook)
        if not passage.hits and by is not None and by.rule is None and chain is not None and chain.rules:
            self._tell.say(self.where, f"{name}: no rule is against it, and the policy is ACCEPT")


def _whose(hit: Hit) -> str:
    if hit.rule is None:
        return f"the policy of {hit.chain} ({hit.words})"
    if hit.rule.ours:
        return f"a rule of Moorage in {hit.rule.chain}"
    if hit.rule.chain.startswith("DOCKER") and hit.rule.chain != "DOCKER-USER":
        return f"a rule of Docker in {hit.rule.chain}"
    return f"a rule in {hit.rule.chain} that is not Moorage's"


def because(hit: Hit, packet: Packet) -> str:
    """Return why a rule drops, as far as its owner's intention is known."""
    inside, outside = packet.inside or "", packet.outside or ""
    if hit.rule is None:
        return f"no rule lets it through, and the policy of {hit.table} {hit.chain} is {hit.words}"
    if not hit.rule.ours:
        return f"{_whose(hit)} says so"
    if inside.startswith(LINK):
        return "nothing may go past the switch into the host"
    if hit.table == "raw":
        return "no answer to its source address would go back that way"
    if inside.startswith(GATEWAY_PORT) and not outside:
        return "of the host's addresses, the gateways of other networks are closed to a container"
    if inside.startswith(GATEWAY_PORT) and outside.startswith(GATEWAY_PORT):
        return "networks are closed to each other (moorage.isolation)"
    if outside.startswith(GATEWAY_PORT):
        return "nothing new may come into the network from outside but to published ports (moorage.gateway=nat)"
    return "Moorage does not let this network do that"
