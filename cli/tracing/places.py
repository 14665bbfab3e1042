"""Who is who: containers, gateways and addresses of this host, put together from Docker, the switch and the records."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cli.tracing.facts import Attachment, Container
from cli.tracing.wire import Listed, OnNetwork
from records.model import GATEWAY_PORT, LINK, Endpoint, IpAddress, IpInterface, Kind
from records.snapshot import Records

SOMEWHERE = {4: ipaddress.ip_address("198.51.100.1"), 6: ipaddress.ip_address("2001:db8::1")}  # RFC 5737, RFC 3849
SHORT = 12  # letters of an id, as docker shows it


class NoPlace(Exception):
    """There is nobody of that name here; the text says what there is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One end of the way: a container, or (None) the host or the outside.  `address` is what the user named, if any."""

    container: Container | None = None
    host: bool = False
    address: IpAddress | None = None

    @property
    def words(self) -> str:
        """For people."""
        if self.container is not None:
            return f"container {self.container.name}"
        return "the host" if self.host else str(self.address)


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """Everything of this host that a packet may meet."""

    containers: Sequence[Container]
    ports: Mapping[str, int | None]  # of the bridge
    addresses: Mapping[str, tuple[IpInterface, ...]]  # of the host, by interface

    def at_port(self, number: int) -> tuple[Container, Attachment] | None:
        """Return who is at a port of the switch."""
        return next(((c, a) for c, a in self._attached() if a.ofport == number), None)

    def behind(self, port: str) -> Attachment | None:
        """Return the attachment whose end on the host is the interface `port`."""
        return next((a for _, a in self._attached() if a.port == port), None)

    def at(self, number: int) -> str:
        """Return who is at a port of the switch, for people."""
        found = self.at_port(number)
        if found is not None:
            return f"container {found[0].name}"
        name = self.port_name(number) or f"number {number}"
        return f"the gateway ({name})" if name.startswith(GATEWAY_PORT) else name

    def port_name(self, number: int) -> str | None:
        """Return the name of a port of the switch."""
        return next((name for name, ofport in self.ports.items() if ofport == number), None)

    def holder(self, address: IpAddress) -> tuple[Container, Attachment] | None:
        """Return the container that has an address."""
        return next(((c, a) for c, a in self._attached() if address in {a.ipv4, a.ipv6}), None)

    def own(self, address: IpAddress) -> bool:
        """Say whether the address is one of the host's."""
        return address.is_loopback or any(address == had.ip for on in self.addresses.values() for had in on)

    def _attached(self) -> Iterator[tuple[Container, Attachment]]:
        return ((c, a) for c in self.containers for a in c.attachments)


def containers(
    listed: Iterable[Listed], ours: frozenset[str], ports: Mapping[str, int | None], records: Records | None
) -> Iterator[Container]:
    """Yield the containers that Docker tells, with what switch and records know of their networks.

    Args:
        listed: Docker's list.
        ours: ids of the networks of our driver.
        ports: the bridge's.
        records: None while they cannot be read.

    """
    everything = list(listed)
    by_id = {c.id: c for c in everything}
    for one in everything:
        stack = by_id.get(one.mode.removeprefix("container:"), one)  # whose network it shares
        attached = [
            _attachment(name, on, ports, records) for name, on in stack.networks.items() if on.network_id in ours
        ]
        others = tuple(name for name, on in stack.networks.items() if on.network_id not in ours)
        yield Container(one.id, one.name, one.state, tuple(attached), others)


def _attachment(name: str, on: OnNetwork, ports: Mapping[str, int | None], records: Records | None) -> Attachment:
    record = None if records is None else records.endpoints.one(docker_id=on.endpoint_id)
    vlan, uplink = (None, None) if records is None or record is None else _vlan(records, record)
    port = LINK + on.endpoint_id[:12]
    return Attachment(
        endpoint=on.endpoint_id,
        network=name,
        port=port,
        ofport=ports.get(port),
        mac=on.mac.lower(),
        ipv4=ipaddress.ip_address(on.ip) if on.ip else None,
        ipv6=ipaddress.ip_address(on.ipv6) if on.ipv6 else None,
        up=None if record is None else record.up,
        problem=_problem(on, record, known=records is not None),
        vlan=vlan,
        uplink=uplink,
    )


def _vlan(records: Records, endpoint: Endpoint) -> tuple[int | None, str | None]:
    """Return tag and uplink of an endpoint's VLAN."""
    network = records.networks.get(endpoint.network)
    known = records.docker_networks.get(endpoint.docker_network)
    uplink = records.uplinks.get(known.uplink) if known is not None else None
    if network is None or network.kind is not Kind.VLAN or uplink is None:
        return None, None
    return network.segment, uplink.interface


def _problem(on: OnNetwork, record: Endpoint | None, *, known: bool) -> str | None:
    if record is not None:
        return record.problem
    return "no record of it" if known and on.endpoint_id else None


def resolve(text: str, site: Site, version: int) -> Place:
    """Return who is meant by a name or an address.

    Raises:
        NoPlace: nobody.

    """
    if text == "host":
        return Place(host=True)
    if text == "outside":
        return Place(address=SOMEWHERE[version])
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return Place(container=_named(text, site.containers))
    if site.own(address):
        return Place(host=True, address=address)
    held = site.holder(address)
    return Place(container=held[0] if held is not None else None, address=address)


def _named(text: str, there: Sequence[Container]) -> Container:
    by_name = {c.name: c for c in there}
    if text in by_name:
        return by_name[text]
    by_id = [c for c in there if text and c.id.startswith(text)]
    if len(by_id) == 1:
        return by_id[0]
    if len(by_id) > 1:
        raise NoPlace(f"{text!r} is the beginning of several containers' ids: write more of it")
    near = difflib.get_close_matches(text, by_name, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`docker ps -a` lists them"
    raise NoPlace(f"{text!r} is no container of this host, no IP address, and not `host` or `outside`; {hint}")


def address_of(place: Place, other: Place, version: int, network: str | None) -> IpAddress | None:
    """Return the address by which `other` would speak to `place`; None where it has none of that family.

    A container of several networks is spoken to on `network` if it is on that, else on one that both are on.
    """
    if place.address is not None:
        return place.address
    if place.container is None:
        return None
    theirs = {a.network for a in other.container.attachments} if other.container is not None else set()
    found = [a for a in place.container.attachments if a.address(version) is not None]
    found.sort(key=lambda a: (a.network != network, a.network not in theirs))
    return found[0].address(version) if found else None
