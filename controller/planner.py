"""Which flows each owner should have: pure, and remembered, so that a full pass over 100,000 flows costs little.

An owner is a record (endpoint, network, routing domain, uplink) or one of three constants; each flow has one owner.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from typing import Any

from controller.features import classification, drops, fences, forwarding, neighbours, port_security, routing, vlans
from controller.flow import Flow
from controller.view import (
    Attachment,
    Barred,
    Domain,
    Segment,
    Trunk,
    Vlan,
    attachment,
    barred,
    domain,
    segment,
    trunk,
    vlan,
)
from records.model import DockerNetwork, Endpoint, Fence, Host, Kind, Network, Record, Subnet, Uplink, Vrf
from records.snapshot import Records, Table
from records.store import Change

Owner = uuid.UUID | str
Flows = tuple[Flow, ...]
View = Attachment | Segment | Domain | Vlan | Trunk | Barred

FIXED: Owner = "fixed"  # owns what is there on every host
FENCES: Owner = "fences"  # owns what keeps this host from storage servers
UNCLAIMED: Owner = "unclaimed"  # owns what bears our mark in the switch and nobody wants: nothing, in every plan


class HostUnknownError(OSError):
    """The records do not know this host (yet, or the database was never reached), so nothing can be planned.

    An OSError, for to the loop this is a system that cannot be read: nothing may be deleted for lack of a plan.
    """


class FlowPlanner:
    """The plan of one host, named as in the records."""

    def __init__(self, host: str) -> None:
        self._host = host
        # What follows only saves work: the same records give the same view, and that the same flows.
        self._made: dict[Owner, tuple[Records, View, Flows]] = {}
        self._known: tuple[Table[Host], Host] | None = None
        self._fixed: Flows = tuple(fixed())

    def host(self, records: Records) -> Host:
        """Return our host.

        Raises:
            HostUnknownError: it has no record.

        """
        hosts, known = records.hosts, self._known
        if known is not None and known[0] is hosts:
            return known[1]
        host = hosts.one(name=self._host)
        if host is None:
            raise HostUnknownError(f"host {self._host} is not in the records yet")
        self._known = (hosts, host)
        return host

    def keys(self, source: Records) -> Collection[Owner]:
        """Return all owners of this host."""
        host = self.host(source)
        known = list(source.docker_networks.of(host=host.id))
        return {
            FIXED,
            FENCES,
            UNCLAIMED,
            *(vrf.id for vrf in source.vrfs.of(host=host.id)),
            *(uplink.id for uplink in source.uplinks.of(host=host.id)),
            *(docker_network.network for docker_network in known),
            *(endpoint.id for endpoint in source.endpoints.of(host=host.id)),
        }

    def want(self, source: Records, key: Owner) -> Flows | None:
        """Return the flows of an owner; None where it has none."""
        host = self.host(source)
        if isinstance(key, str) and key != FENCES:
            return self._fixed if key == FIXED else ()
        before = self._made.get(key)
        if before is not None and before[0] is source:
            return before[2]
        found = barred(source, host) if isinstance(key, str) else _view(source, host, key)
        if found is None:
            self._made.pop(key, None)
            return None
        made = before[2] if before is not None and before[1] == found else tuple(flows(found))
        self._made[key] = (source, found, made)
        return made


def _view(records: Records, host: Host, owner: uuid.UUID) -> View | None:
    if (endpoint := records.endpoints.get(owner)) is not None:
        return attachment(records, host, endpoint)
    if (network := records.networks.get(owner)) is not None:
        return (vlan if network.kind is Kind.VLAN else segment)(records, host, network)
    if (uplink := records.uplinks.get(owner)) is not None:
        return trunk(host, uplink)
    vrf = records.vrfs.get(owner)
    return domain(records, host, vrf) if vrf is not None else None


def flows(view: View) -> Iterator[Flow]:
    """Yield the flows of an endpoint, a network, a routing domain or an uplink."""
    match view:
        case Attachment():
            yield from classification.endpoint(view)
            yield from port_security.endpoint(view)
            yield from neighbours.endpoint(view)
            yield from forwarding.endpoint(view)
            yield from vlans.endpoint(view)
        case Segment():
            yield from neighbours.segment(view)
            yield from routing.segment(view)
            yield from forwarding.segment(view)
        case Domain():
            yield from classification.gateway(view)
            yield from port_security.gateway(view)
        case Vlan():
            yield from vlans.network(view)
        case Trunk():
            yield from vlans.uplink(view)
        case Barred():
            yield from fences.servers(view)


def fixed() -> Iterator[Flow]:
    """Yield the flows that every host has."""
    for feature in (classification, port_security, neighbours, routing, forwarding, vlans, fences, drops):
        make: Callable[[], Iterator[Flow]] = feature.fixed
        yield from make()


def concerned(change: Change, records: Records) -> set[Owner]:
    """Return the owners whose flows a change of a record may change."""
    owners: set[Owner] = set()
    for record in (change.old, change.new):
        owners.update(_concerned(record, records))
    return owners


def _concerned(record: Record | None, records: Records) -> Iterator[Any]:
    match record:
        case Endpoint():
            yield record.id
            if (network := records.networks.get(record.network)) is not None and network.kind is Kind.VLAN:
                yield network.id  # whose broadcasts go to each endpoint
        case Subnet():
            if record.network is not None:
                yield from _with_network(record.network, records)
        case Network():
            yield from _with_network(record.id, records)
            yield from (endpoint.id for endpoint in records.endpoints.of(network=record.id))
        case DockerNetwork():
            yield from (record.network, record.vrf)
            yield from (endpoint.id for endpoint in records.endpoints.of(docker_network=record.id))
        case Vrf():
            yield record.id
            for known in records.docker_networks.of(vrf=record.id):
                yield known.network
                yield from (endpoint.id for endpoint in records.endpoints.of(docker_network=known.id))
        case Fence():
            yield FENCES
        case Uplink():
            yield record.id
            yield from (known.network for known in records.docker_networks.of(uplink=record.id))


def _with_network(network: uuid.UUID, records: Records) -> Iterator[Any]:
    yield network
    yield from (known.vrf for known in records.docker_networks.of(network=network))
