"""Through the switch: who it says has an address, and by which port it lets a packet out."""

from __future__ import annotations

from collections.abc import Mapping

from cli.tracing import switch
from cli.tracing.facts import CannotLook, Machine
from cli.tracing.matching import ECHO
from cli.tracing.packet import HOPS, Packet
from cli.tracing.places import Site
from cli.tracing.story import Teller
from controller.pipeline import Reason
from records.model import IpAddress

EVERYBODY = "ff:ff:ff:ff:ff:ff"
STRANGER = "02:00:00:00:00:fe"  # stands for the MAC of a machine that nobody here knows
ADVICE: Mapping[Reason, str] = {  # what the user can do about it
    Reason.FENCED: "its volume plugin ends what used the volume, and then the fence; `docker ps` shows what it ended",
    Reason.UNKNOWN_PORT: "is the controller running, and the endpoint up? `moorage status` tells",
    Reason.FALSE_SOURCE: "the container has changed its address or MAC inside; "
    "`moorage.spoof=allow` of its endpoint permits that",
    Reason.NO_GATEWAY: "the network is internal, or was made with `moorage.gateway=none`",
    Reason.UNKNOWN_DESTINATION: "no running container of this network has the address",
    Reason.UNANSWERED: "no container and no gateway of its networks has the address",
    Reason.OTHER_NETWORK: "networks are closed to each other",
}


class Switching:
    """One bridge's part of the story."""

    def __init__(self, machine: Machine, site: Site, bridge: str, tell: Teller) -> None:
        self._machine = machine
        self._site = site
        self._names = site.at
        self._tell = tell
        self.where = f"switch {bridge}"

    def ask(self, sender: str, port: int, mac: str, src: IpAddress, about: IpAddress) -> str:
        """Return the MAC that the switch answers to who asks for an address; ends where it does not."""
        question = "ARP" if about.version == 4 else "a neighbour solicitation"
        trace = self._trace(_question(port, mac, src, about))
        answered = trace.field("arp_sha" if about.version == 4 else "nd_tll")
        if trace.back and answered is not None:
            self._tell.say(sender, f"asks by {question} who has {about}: the switch answers {answered}", *_flows(trace))
            return answered
        self._tell.say(sender, f"asks by {question} who has {about}")
        if trace.outputs:
            return self._flooded(trace, about)
        raise self._drop(trace, f"nobody answers for {about}")

    def _flooded(self, trace: switch.Trace, about: IpAddress) -> str:
        """Return the MAC of who answers a question that the switch passes on to a whole VLAN."""
        to = ", ".join(self._names(port) for port in trace.outputs)
        held = self._site.holder(about)
        if held is not None:
            mac = held[1].mac
            self._tell.say(self.where, f"passes the question on to {to}; {held[0].name} answers {mac}", *_flows(trace))
            return mac
        self._tell.say(self.where, f"passes the question on to {to}", *_flows(trace))
        self._tell.notes.append(f"whether a machine of the VLAN has {about} is not known here")
        return STRANGER

    def carry(self, port: int, source: str, destination: str, packet: Packet, vlan: int | None = None) -> int:
        """Return the port by which a packet leaves the switch; ends where it does not."""
        trace = self._trace(flow(port, source, destination, packet, vlan))
        if trace.dropped:
            raise self._drop(trace, "")
        for lookup in trace.lookups:
            self._tell.say(self.where, switch.words(lookup, self._names), lookup.flow)
        if not trace.outputs:
            raise self._tell.unknown(self.where, "it goes back where it came from", *_flows(trace))
        return trace.outputs[-1]

    def _trace(self, text: str) -> switch.Trace:
        try:
            trace = switch.parse(self._machine.trace(text))
        except switch.NoTrace as error:
            raise CannotLook(f"Open vSwitch does not trace the packet: {error}") from error
        if trace.problem is not None:
            raise CannotLook(f"Open vSwitch: {trace.problem}")
        return trace

    def _drop(self, trace: switch.Trace, why: str) -> Exception:
        decisive = trace.decisive
        if decisive is None:
            return self._tell.unknown(self.where, "Open vSwitch looked into no table")
        for lookup in trace.lookups[: trace.lookups.index(decisive)]:
            self._tell.say(self.where, switch.words(lookup, self._names), lookup.flow)
        reason = trace.reason
        said = [reason.text if reason is not None else "no flow lets it through"]
        if why:
            said.insert(0, why)
        if reason is None and decisive.priority is None:
            said.append(f"table {decisive.table} has no flow for it: is the controller running? `moorage status` tells")
        if reason is not None and reason in ADVICE:
            said.append(ADVICE[reason])
        return self._tell.dropped(self.where, switch.words(decisive, self._names), "; ".join(said), decisive.flow)


def _flows(trace: switch.Trace) -> tuple[str, ...]:
    return tuple(lookup.flow for lookup in trace.lookups)


def _question(port: int, mac: str, src: IpAddress, about: IpAddress) -> str:
    if about.version == 4:
        return (
            f"arp,in_port={port},dl_src={mac},dl_dst={EVERYBODY},arp_op=1,arp_spa={src},arp_tpa={about},arp_sha={mac}"
        )
    last = int(about) & 0xFFFFFF  # solicited-node multicast address, RFC 4291 2.7.1
    group = f"ff02::1:ff{last >> 16:02x}:{last & 0xFFFF:x}"
    group_mac = f"33:33:ff:{last >> 16:02x}:{last >> 8 & 0xFF:02x}:{last & 0xFF:02x}"
    return (
        f"icmp6,in_port={port},dl_src={mac},dl_dst={group_mac},ipv6_src={src},ipv6_dst={group},nw_ttl=255,"
        f"icmpv6_type=135,icmpv6_code=0,nd_target={about},nd_sll={mac}"
    )


def flow(port: int, source: str, destination: str, packet: Packet, vlan: int | None = None) -> str:
    """Return a packet as `ofproto/trace` reads it."""
    six = packet.version == 6
    name, net = (f"{packet.protocol}6", "ipv6") if six else (packet.protocol, "nw")
    tag = "" if vlan is None else f",dl_vlan={vlan}"
    head = f"{name},in_port={port}{tag},dl_src={source},dl_dst={destination}"
    ends = f"{net}_src={packet.ends.src},{net}_dst={packet.ends.dst},nw_ttl={HOPS}"
    if packet.protocol == "icmp":
        kind = "icmpv6" if six else "icmp"
        return f"{head},{ends},{kind}_type={ECHO[packet.version, packet.reply]},{kind}_code=0"
    flags = f",tcp_flags={'syn|ack' if packet.reply else 'syn'}" if packet.protocol == "tcp" else ""
    return f"{head},{ends},{packet.protocol}_src={packet.ends.sport},{packet.protocol}_dst={packet.ends.dport}{flags}"
