"""What a rule's target does to the packet itself: marks and translations of addresses; pure."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Mapping, Sequence

from cli.tracing.matching import BOTH, Surroundings
from cli.tracing.packet import Packet, spell
from cli.tracing.rules import Option, Rule
from records.model import IpAddress

HARMLESS = {  # the packet goes on, and nothing that another rule or a route asks for is changed
    *("LOG", "NFLOG", "ULOG", "TRACE", "AUDIT", "SET", "RATEEST", "IDLETIMER", "LED"),
    *("TCPMSS", "TTL", "HL", "DSCP", "TOS", "ECN", "CHECKSUM", "CLASSIFY", "TCPOPTSTRIP"),
    *("SECMARK", "CONNSECMARK"),
}


class CannotTell(Exception):
    """What the target does is not known here."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """The packet after a target; `final` says that the table is done with it; `words` tells what became of it."""

    packet: Packet
    words: str
    final: bool = False


def change(rule: Rule, packet: Packet, around: Surroundings) -> Change:
    """Return what a target that is no chain and no verdict makes of the packet.

    Raises:
        CannotTell: the target, or an option of it, is not known.

    """
    if rule.target is None or rule.target in HARMLESS:
        return Change(packet, "")
    act = _ACTS.get(rule.target)
    if act is None:
        raise CannotTell(f"the target {rule.target} is not known here")
    try:
        return act(rule.arguments, packet, around)
    except (ValueError, KeyError, IndexError) as error:
        raise CannotTell(f"the options of {rule.target} are not known here") from error


def _options(arguments: Sequence[Option]) -> dict[str, str]:
    return {option.name: " ".join(option.values) for option in arguments}


def _dnat(arguments: Sequence[Option], packet: Packet, _around: Surroundings) -> Change:
    address, port = destination(_options(arguments)["--to-destination"])
    to = packet.to(address or packet.ends.dst, port)
    return Change(to, f"its destination becomes {spell(to.ends.dst, to.ends.dport)}", final=True)


def _redirect(arguments: Sequence[Option], packet: Packet, around: Surroundings) -> Change:
    ports = _options(arguments).get("--to-ports")
    here = ipaddress.ip_address("127.0.0.1" if packet.version == 4 else "::1")
    own = here if packet.from_host else _own(around, packet.inside, packet.version)
    to = packet.to(own, int(ports.partition("-")[0]) if ports else None)
    return Change(to, f"its destination becomes the host itself, {spell(to.ends.dst, to.ends.dport)}", final=True)


def _snat(arguments: Sequence[Option], packet: Packet, _around: Surroundings) -> Change:
    address, port = destination(_options(arguments)["--to-source"])
    to = packet.come_from(address or packet.ends.src, port)
    return Change(to, f"its source becomes {spell(to.ends.src, to.ends.sport)}", final=True)


def _masquerade(arguments: Sequence[Option], packet: Packet, around: Surroundings) -> Change:
    ports = _options(arguments).get("--to-ports")
    own = _own(around, packet.outside, packet.version)
    to = packet.come_from(own, int(ports.partition("-")[0]) if ports else None)
    return Change(to, f"its source becomes the host's address {to.ends.src}", final=True)


def _own(around: Surroundings, interface: str | None, version: int) -> IpAddress:
    return next(had.ip for had in around.addresses[interface or ""] if had.version == version and not had.is_link_local)


def destination(text: str) -> tuple[IpAddress | None, int | None]:
    """Return address and port of `--to-destination` or `--to-source`; of a range the first.

    Raises:
        ValueError: it is written in none of iptables' forms.

    """
    text = text.split(maxsplit=1)[0]
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") > 1:
        address, port = text, ""
    else:
        address, _, port = text.partition(":")
    first = address.partition("-")[0]
    low = port.partition("-")[0]
    return ipaddress.ip_address(first) if first else None, int(low) if low else None


def _mark(arguments: Sequence[Option], packet: Packet, _around: Surroundings) -> Change:
    mark = remarked(arguments, packet.mark)
    return Change(dataclasses.replace(packet, mark=mark), f"it gets the mark {mark:#x}")


def _connection_mark(arguments: Sequence[Option], packet: Packet, _around: Surroundings) -> Change:
    given = _options(arguments)
    if "--save-mark" in given or "--restore-mark" in given:
        of_packet, of_connection = _mask(given, "--nfmask"), _mask(given, "--ctmask")
        if "--save-mark" in given:
            kept = packet.connection_mark & ~of_connection ^ packet.mark & of_packet
            return Change(dataclasses.replace(packet, connection_mark=kept), f"its connection gets the mark {kept:#x}")
        kept = packet.mark & ~of_packet ^ packet.connection_mark & of_connection
        return Change(dataclasses.replace(packet, mark=kept), f"it gets its connection's mark {kept:#x}")
    mark = remarked(arguments, packet.connection_mark)
    return Change(dataclasses.replace(packet, connection_mark=mark), f"its connection gets the mark {mark:#x}")


def _mask(given: Mapping[str, str], name: str) -> int:
    return int(given.get(name) or given.get("--mask") or str(BOTH), 0)


def remarked(arguments: Sequence[Option], mark: int) -> int:
    """Return a mark after MARK or CONNMARK (iptables-extensions(8)).

    Raises:
        ValueError, KeyError: none of the options sets it.

    """
    ((name, value),) = _options(arguments).items()
    number, _, mask = value.partition("/")
    bits, zeroed = int(number, 0), int(mask or str(BOTH), 0)
    return {
        "--set-xmark": mark & ~zeroed ^ bits,
        "--set-mark": mark & ~zeroed | bits,
        "--and-mark": mark & bits,
        "--or-mark": mark | bits,
        "--xor-mark": mark ^ bits,
    }[name] & BOTH


def _tracking(arguments: Sequence[Option], packet: Packet, _around: Surroundings) -> Change:
    if "--notrack" in _options(arguments):
        return _untracked(arguments, packet, _around)
    return Change(packet, "")


def _untracked(_arguments: Sequence[Option], packet: Packet, _around: Surroundings) -> Change:
    return Change(dataclasses.replace(packet, tracked=False), "its connection is not tracked")


_ACTS: Mapping[str, Callable[[Sequence[Option], Packet, Surroundings], Change]] = {
    "DNAT": _dnat,
    "REDIRECT": _redirect,
    "SNAT": _snat,
    "MASQUERADE": _masquerade,
    "MARK": _mark,
    "CONNMARK": _connection_mark,
    "CT": _tracking,
    "NOTRACK": _untracked,
}
