"""A packet's whole way there, and its answer's way back: containers, switch and host in turn, until it ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cli.tracing.crossing import Crossing, Through
from cli.tracing.ends import AtContainer, AtHost, End, OnVlan, Outside, same
from cli.tracing.facts import Attachment, CannotLook, Container, Machine, NoRoute, Sending
from cli.tracing.packet import Packet
from cli.tracing.places import SOMEWHERE, Place, Site, address_of
from cli.tracing.story import Ended, Ending, Story, Teller, Verdict, unique
from cli.tracing.switching import STRANGER, Switching
from records.model import GATEWAY_MAC, GATEWAY_PORT, IpAddress

AT_MOST = 8  # times a packet may cross the host: more is a loop


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """What the user chose: the family (4 or 6), and the network where a container is on several."""

    version: int = 4
    network: str | None = None


class Journey:
    """One trace."""

    def __init__(self, machine: Machine, site: Site, host: str, bridge: str, way: Way) -> None:
        self._machine = machine
        self._way = way
        self._site = site
        self._tell = Teller()
        self._switch = Switching(machine, site, bridge, self._tell)
        self._host = Crossing(machine, host, self._tell)

    def run(self, src: Place, dst: Place, protocol: str, port: int | None, notes: Sequence[str] = ()) -> Story:
        """Follow a packet from `src`, and the answer back; `notes` are told beside what it finds."""
        self._tell.notes += notes
        head = f"{protocol}{f' port {port}' if port else ''} from {src.words} to {dst.words}"
        try:
            self._known_network(src, dst)
            target = self._target(src, dst)
            start, packet = self._start(src, target, protocol, port)
            head = f"{packet.words}, from {src.words} to {dst.words}"
            verdict = self._both_ways(start, dst, packet)
        except Ended as ended:
            verdict = ended.verdict
        except CannotLook as error:
            verdict = Verdict(Ending.UNKNOWN, f"cannot say: {error}")
        return Story(head, tuple(self._tell.steps), verdict, unique(self._tell.notes))

    def _both_ways(self, start: End, dst: Place, packet: Packet) -> Verdict:
        end, arrived = self._go(start, packet)
        left = isinstance(end, Outside | OnVlan)
        if left and dst.container is not None and dst.container.attachments and arrived.ends.dst == packet.ends.dst:
            why = f"the host has no way into the network of {dst.words}, and sends it to {end.words} instead"
            raise self._tell.dropped(self._host.where, why, why)
        if left:
            self._tell.notes.append(f"whether {arrived.ends.dst} answers is not known here")
        else:
            self._tell.say(end.words, f"takes it: {arrived.words}")
        if isinstance(end, AtContainer) and dst.container is not None and end.container.id != dst.container.id:
            self._tell.notes.append(f"it arrives at {end.words}, not at {dst.words}")
        refused = self._refusal(end, arrived)
        self._tell.answer = True
        back, answer = self._go(end, arrived.answer())
        if not same(start, back):
            raise self._tell.unknown(back.words, f"the answer arrives at {back.words}, not at {start.words}")
        self._tell.say(back.words, f"takes it: {answer.words}")
        if refused is not None:
            return refused
        if left:
            return Verdict(Ending.LEFT, f"leaves the host for {end.words} as {arrived.words}; an answer comes back")
        return Verdict(Ending.DELIVERED, f"delivered to {end.words} at {arrived.ends.dst}, and the answer comes back")

    def _refusal(self, end: End, packet: Packet) -> Verdict | None:
        """Return the end that a connection comes to where nothing listens."""
        container = end.container if isinstance(end, AtContainer) else None
        if isinstance(end, Outside | OnVlan) or not packet.ends.dport:
            return None
        if self._machine.listens(container, packet.protocol, packet.ends.dst, packet.ends.dport) is not False:
            return None
        what = f"nothing listens on {packet.protocol} port {packet.ends.dport}"
        self._tell.say(end.words, f"{what} of {packet.ends.dst}", well=False)
        return Verdict(Ending.REFUSED, f"refused by {end.words}: it arrives at {packet.ends.dst}, but {what} there")

    # -- beginnings ---------------------------------------------------------------------------------------------------

    def _known_network(self, *ends: Place) -> None:
        """See to it that the network that the user chose is one of an end's."""
        there = {a.network for end in ends if end.container is not None for a in end.container.attachments}
        if self._way.network not in {None, *there}:
            on = f"they are on {', '.join(sorted(there))}" if there else "they are on no network of Moorage"
            raise CannotLook(f"neither end is on network {self._way.network}; {on}")

    def _target(self, src: Place, dst: Place) -> IpAddress:
        """Return the address that `src` writes to."""
        where = f"container {dst.container.name}" if dst.container is not None else dst.words
        if dst.host and dst.address is None:
            found = self._host_address(src)
        else:
            found = address_of(dst, src, self._way.version, self._way.network)
        if dst.container is not None and dst.address is None and not dst.container.running:
            why = f"it is not running ({dst.container.state}), and has no address"
            raise self._tell.dropped(where, why, why)
        if found is None and dst.container is not None and not dst.container.attachments:
            raise CannotLook(f"{where} is on no network of Moorage{_others(dst.container)}")
        if found is None:
            raise CannotLook(f"{where} has no IPv{self._way.version} address")
        return found

    def _host_address(self, src: Place) -> IpAddress | None:
        """Return the host's address as `src` would use it: the gateway of its network, else one that leads out."""
        mine = [a.address(self._way.version) for a in src.container.attachments] if src.container is not None else []
        for address in filter(None, mine):
            for on in self._site.addresses.values():
                for had in on:
                    if address in had.network and had.version == self._way.version:
                        return had.ip
        try:
            return self._machine.route(SOMEWHERE[self._way.version]).source
        except NoRoute:
            return None

    def _start(self, src: Place, target: IpAddress, protocol: str, port: int | None) -> tuple[End, Packet]:
        """Return where the packet begins, and the packet."""
        if src.container is not None:
            attachment, sending = self._sending(src.container, target, self._way.network)
            source = sending.route.source or attachment.address(self._way.version)
            if source is None:
                why = f"it has no IPv{self._way.version} address"
                raise self._tell.dropped(f"container {src.container.name}", why, why)
            return AtContainer(src.container, attachment), Packet.request(protocol, source, target, port)
        if src.host:
            try:
                source = src.address or self._machine.route(target).source
            except NoRoute as error:
                raise self._tell.dropped(self._host.where, f"has no way to {target}: {error}", str(error)) from error
            return AtHost(), Packet.request(protocol, source or target, target, port)
        source = src.address or SOMEWHERE[self._way.version]
        if (vlan := self._beyond(target, source)) is not None:
            return vlan, Packet.request(protocol, source, target, port)
        try:
            interface = self._machine.route(source).interface
        except NoRoute as error:
            raise CannotLook(f"the host knows no interface that {source} is behind: {error}") from error
        return Outside(interface), Packet.request(protocol, source, target, port)

    # -- the way ------------------------------------------------------------------------------------------------------

    def _go(self, at: End, packet: Packet) -> tuple[End, Packet]:
        """Follow a packet from where it is to its end."""
        for _ in range(AT_MOST):
            sender: Attachment | None = None
            if isinstance(at, AtContainer):
                number, sender = self._out_of_container(at.container, packet)
            elif isinstance(at, OnVlan):
                number = self._from_vlan(at, packet)
            else:
                through = self._host.send(packet) if isinstance(at, AtHost) else self._host.enter(packet, at.interface)
                packet = through.packet
                if through.route.local:
                    return AtHost(), packet
                if not through.route.interface.startswith(GATEWAY_PORT):
                    return Outside(through.route.interface), packet
                number = self._into_switch(through)
            if (found := self._site.at_port(number)) is not None:
                return AtContainer(*found), packet
            name = self._site.port_name(number) or f"port {number}"
            if sender is not None and sender.vlan is not None and name == sender.uplink:
                return OnVlan(name, sender.vlan), packet
            if not name.startswith(GATEWAY_PORT):
                raise self._tell.unknown(self._switch.where, f"it leaves by {name}, which is no port of Moorage")
            at = Outside(name)
        raise self._tell.unknown(self._host.where, f"it has crossed the host {AT_MOST} times: a loop")

    def _beyond(self, target: IpAddress, source: IpAddress) -> OnVlan | None:
        """Return the VLAN that a packet to `target` comes in by: containers on one are not behind the host."""
        held = self._site.holder(target)
        if held is None or held[1].vlan is None or held[1].uplink is None or self._site.holder(source) is not None:
            return None
        return OnVlan(held[1].uplink, held[1].vlan)

    def _from_vlan(self, at: OnVlan, packet: Packet) -> int:
        """Follow a packet of a machine of the physical network to the port by which it leaves the switch."""
        number, held = self._site.ports.get(at.interface), self._site.holder(packet.ends.dst)
        if number is None:
            why = f"the uplink {at.interface} is not in the switch"
            raise self._tell.dropped(self._switch.where, why, why)
        if held is None:
            why = f"no container here has {packet.ends.dst}"
            raise self._tell.dropped(at.words, why, why)
        self._tell.say(at.words, f"sends {packet.words} with tag {at.tag}")
        return self._switch.carry(number, STRANGER, held[1].mac, packet, at.tag)

    def _sending(self, container: Container, dst: IpAddress, network: str | None) -> tuple[Attachment, Sending]:
        """Return by which of its attachments a container sends to an address; ends where it cannot."""
        where = f"container {container.name}"
        if not container.attachments:
            raise CannotLook(f"{where} is on no network of Moorage{_others(container)}")
        if not container.running:
            why = f"it is not running ({container.state})"
            raise self._tell.dropped(where, why, why)
        chosen = next((a.port for a in container.attachments if a.network == network), None)
        try:
            sending = self._machine.sending(container, dst, chosen)
        except NoRoute as error:
            raise self._tell.dropped(where, f"has no way to {dst}: {error}", str(error)) from error
        if sending.route.local:
            self._tell.say(where, f"{dst} is its own address")
            raise Ended(Verdict(Ending.DELIVERED, f"delivered to {where} itself"))
        attachment = self._site.behind(sending.port) if sending.port is not None else None
        if attachment is None:
            by = f"{dst} is sent by {sending.route.interface}, which is not on a network of Moorage{_others(container)}"
            raise self._tell.unknown(where, by)
        return attachment, sending

    def _out_of_container(self, container: Container, packet: Packet) -> tuple[int, Attachment]:
        """Follow a packet from a container's process to the port by which it leaves the switch, and by whom."""
        where, dst = f"container {container.name}", packet.ends.dst
        attachment, sending = self._sending(container, dst, None if packet.reply else self._way.network)
        hop = sending.route.gateway or dst
        by = f"by its gateway {hop}" if sending.route.gateway is not None else "straight, for it is in its own subnet"
        self._tell.say(where, f"sends {packet.words} by {sending.route.interface} ({attachment.network}), {by}")
        if not sending.up:
            why = f"its interface {sending.route.interface} is down"
            raise self._tell.dropped(where, why, why)
        if attachment.ofport is None:
            why = f"its port {attachment.port} is not in the switch: {attachment.problem or 'see `moorage status`'}"
            raise self._tell.dropped(self._switch.where, why, why)
        if attachment.up is False:
            said = attachment.problem or "its flows are not confirmed by the controller"
            self._tell.notes.append(f"the endpoint of {where} is not up: {said}")
        neighbour = self._switch.ask(where, attachment.ofport, sending.mac, packet.ends.src, hop)
        return self._switch.carry(attachment.ofport, sending.mac, neighbour, packet), attachment

    def _into_switch(self, through: Through) -> int:
        """Follow a packet from a gateway of the host to the port by which it leaves the switch."""
        route, packet = through.route, through.packet
        number = self._site.ports.get(route.interface)
        if number is None:
            why = f"the gateway port {route.interface} is not in the switch"
            raise self._tell.dropped(self._switch.where, why, why)
        hop = route.gateway or packet.ends.dst
        own = [a.ip for a in self._site.addresses.get(route.interface, ()) if hop in a.network]
        neighbour = self._switch.ask(self._host.where, number, GATEWAY_MAC, own[0] if own else packet.ends.src, hop)
        return self._switch.carry(number, GATEWAY_MAC, neighbour, packet)


def _others(container: Container) -> str:
    return f" (it is on {', '.join(container.others)})" if container.others else ""
