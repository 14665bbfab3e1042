"""What Docker has forgotten: records of networks, endpoints, pools and addresses that it no longer uses are taken out.

Docker's deletes may never come (the plugin was away, dockerd was killed; PROTOCOL rule 9).  A thing is forgotten when
it was missing in every look for `after` seconds: a look may fall between our commit and Docker's own.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping

import structlog

from netplugin.networks import forget_network
from netplugin.plan.addresses import given_back
from netplugin.plan.claims import forget_endpoint
from netplugin.pools import forget_subnet
from records.errors import RecordsError
from records.model import Address, DockerNetwork, Endpoint, Subnet, Use
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Write

log = structlog.get_logger()

LOOKS = 3  # looks in the time after which a thing counts as forgotten


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What Docker knows: its networks of our driver with their endpoints' ids, and the subnets of all its networks.

    `held` are the addresses of other drivers' networks that have them from our IPAM driver, by subnet.
    """

    networks: Mapping[str, frozenset[str]]
    subnets: frozenset[str]
    held: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)


Suspect = DockerNetwork | Endpoint | Subnet | Address


def missing(records: Records, host: str, known: Known) -> Iterator[Suspect]:
    """Yield this host's records that Docker does not know; pure."""
    own = records.hosts.one(name=host)
    if own is None:
        return
    for network in records.docker_networks.of(host=own.id):
        if network.docker_id not in known.networks:
            yield network
    for endpoint in records.endpoints.of(host=own.id):
        on = records.docker_networks.get(endpoint.docker_network)
        if on is not None and endpoint.docker_id not in known.networks.get(on.docker_id, frozenset()):
            yield endpoint
    yield from _unused(records, records.addresses.of(host=own.id), known)
    space = records.spaces.one(name=f"host/{host}")
    for subnet in records.subnets.of(space=space.id) if space is not None else ():
        if subnet.network is None and str(subnet.cidr) not in known.subnets:
            yield subnet


def _unused(records: Records, held: Iterable[Address], known: Known) -> Iterator[Address]:
    """Yield the addresses taken for endpoints that never came, or are gone; a gateway's goes with its subnet.

    To a subnet without a network of ours all addresses but the gateway's are another driver's, to be found in `known`.
    """
    used = {(e.network, own.ip) for e in records.endpoints for own in (e.ipv4, e.ipv6) if own is not None}
    for address in held:
        subnet = records.subnets.get(address.subnet)
        if subnet is None or address.use is Use.GATEWAY:
            continue
        if subnet.network is None:
            if str(address.ip) not in known.held.get(str(subnet.cidr), {str(address.ip)}):
                yield address
        elif address.use is Use.ENDPOINT and not address.free and (subnet.network, address.ip) not in used:
            yield address


class Forgotten:
    """Looks from a thread of its own, so that a hung dockerd delays nothing."""

    def __init__(self, store: Store, host: str, look: Callable[[], Known], after: float) -> None:
        self._store = store
        self._host = host
        self._look = look
        self._after = after
        self._since: dict[uuid.UUID, float] = {}  # when a record was first missing, monotonic seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forgotten", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it may be waiting for dockerd, so it is not waited for."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._after / LOOKS):
            try:
                self.look()
            except (OSError, RecordsError) as error:
                self._since.clear()  # what was not seen missing all the time was not missing all the time
                log.debug("cannot compare with Docker", reason=str(error))

    def look(self) -> None:
        """Compare once, and take out what has been missing for long enough."""
        known, now = self._look(), time.monotonic()
        suspects: dict[uuid.UUID, Suspect] = {
            record.id: record for record in missing(self._store.snapshot(), self._host, known)
        }
        self._since = {key: self._since.get(key, now) for key in suspects}
        for key, since in self._since.items():
            if now - since >= self._after:
                self._forget(suspects[key], known)

    def _forget(self, suspect: Suspect, known: Known) -> None:
        def decision(records: Records) -> tuple[list[Write], bool]:
            writes = list(_writes(records, suspect, known))
            return writes, bool(writes)

        if decide(self._store, decision):
            name = getattr(suspect, "docker_id", str(suspect.id))[:12]
            log.info("forgotten by Docker: removed", kind=suspect.TABLE, id=name)


def _writes(records: Records, suspect: Suspect, known: Known) -> Iterator[Write]:
    """Yield what removes a record, its addresses included, where our IPAM driver handed them out."""
    if isinstance(suspect, DockerNetwork):
        if (network := records.docker_networks.get(suspect.id)) is not None:
            yield from forget_network(records, network)
    elif isinstance(suspect, Subnet):
        if (subnet := records.subnets.get(suspect.id)) is not None and subnet.network is None:
            yield from forget_subnet(records, subnet)
    elif isinstance(suspect, Address):
        now = records.addresses.get(suspect.id)
        yield from (given_back(address) for address in _unused(records, [] if now is None else [now], known))
    elif (endpoint := records.endpoints.get(suspect.id)) is not None:
        yield from forget_endpoint(records, endpoint)
        for subnet in records.subnets.of(network=endpoint.network):
            for own in (endpoint.ipv4, endpoint.ipv6):
                if own is not None and (held := records.addresses.one(subnet=subnet.id, ip=own.ip)) is not None:
                    yield given_back(held)
