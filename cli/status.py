"""What `moorage status` tells: one value, made of the records, the daemons' own words and the database's members."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.backends.told import BackendTold, down
from cli.backends.told import told as told_of
from cli.output import duration
from cli.volumes.trouble import VolumeStatus, troubled
from records.members import Member
from records.model import Address, Endpoint, Host, Network
from records.snapshot import Records

ALL_WELL, SOMETHING_DOWN, NO_RECORDS = 0, 1, 3  # exit codes; 2 is click's, for wrong usage


@dataclasses.dataclass(frozen=True, slots=True)
class FailureStatus:
    """One thing that a daemon cannot bring to the records, why, and for how many seconds."""

    layer: str
    key: str
    reason: str
    seconds: float | None = None

    @property
    def words(self) -> str:
        """The failure for people."""
        since = f" (for {duration(self.seconds)})" if self.seconds is not None else ""
        return f"{self.layer} {self.key}: {self.reason}{since}"


@dataclasses.dataclass(frozen=True, slots=True)
class DaemonStatus:
    """A daemon of this host; `problem` says why it cannot be asked.  Seconds it runs, bytes it uses."""

    name: str
    running: bool
    problem: str | None = None
    version: str | None = None
    seconds: float | None = None
    memory: int | None = None
    in_sync: bool | None = None
    failures: tuple[FailureStatus, ...] = ()
    told: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def complaint(self) -> str | None:
        """What is wrong, in words."""
        if not self.running:
            return self.problem or "not running"
        told = [failure.words for failure in self.failures]
        if not self.in_sync:
            told.insert(0, "it has not looked at everything yet")
        switch = self.told.get("switch")
        if isinstance(switch, Mapping) and switch.get("problem"):
            told.append(f"switch: {switch['problem']}")
        return "\n".join(told) or None


@dataclasses.dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """The database of records."""

    reachable: bool
    problem: str | None
    leader: str | None
    members: tuple[Member, ...]

    @property
    def well(self) -> bool:
        """Whether it can be changed, and no member is missing."""
        return self.reachable and all(member.problem is None for member in self.members)


@dataclasses.dataclass(frozen=True, slots=True)
class HostStatus:
    """A host of the cluster."""

    name: str
    endpoints: int
    vtep: str | None
    versions: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class SubnetStatus:
    """A subnet of a network, and how many of its addresses are taken."""

    cidr: str
    gateway: str | None
    taken: int


@dataclasses.dataclass(frozen=True, slots=True)
class NetworkStatus:
    """A network; `hosts` tells how many endpoints each host has on it."""

    name: str
    tenant: str
    kind: str
    segment: int
    mtu: int
    gateway: str
    isolation: str
    subnets: tuple[SubnetStatus, ...]
    hosts: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class EndpointStatus:
    """An endpoint; `reason` says why it is not up."""

    id: str
    network: str
    host: str
    port: str
    mac: str
    addresses: tuple[str, ...]
    up: bool
    reason: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """Everything."""

    host: str
    database: DatabaseStatus
    daemons: tuple[DaemonStatus, ...]
    hosts: tuple[HostStatus, ...] = ()
    networks: tuple[NetworkStatus, ...] = ()
    endpoints: tuple[EndpointStatus, ...] = ()
    backends: tuple[BackendTold, ...] = ()
    volumes: tuple[VolumeStatus, ...] = ()  # only those in trouble
    records: bool = False  # whether the five above are known

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 something is down, 3 the records cannot be read."""
        if not self.records:
            return NO_RECORDS
        well = (
            self.database.well
            and all(daemon.complaint is None for daemon in self.daemons)
            and all(endpoint.up for endpoint in self.endpoints)
            and not any(down(backend) for backend in self.backends)
            and not self.volumes
        )
        return ALL_WELL if well else SOMETHING_DOWN


def status(
    host: str,
    records: Records | None,
    problem: str | None,
    members: Sequence[Member],
    daemons: Mapping[str, Mapping[str, Any] | str],
) -> Status:
    """Put together what was found.

    Args:
        host: this host's name.
        records: None where they cannot be read.
        problem: why the records cannot be changed now, or None.
        members: what each member of the database says.
        daemons: what each daemon of this host says of itself, or why it says nothing.

    """
    leader = next((member.remote for member in members if member.leader and member.problem is None), None)
    daemons = {name: told if isinstance(told, str) else _named(told, records) for name, told in daemons.items()}
    found = Status(
        host,
        DatabaseStatus(reachable=problem is None, problem=problem, leader=leader, members=tuple(members)),
        tuple(_daemon(name, told) for name, told in daemons.items()),
    )
    if records is None:
        return found
    return dataclasses.replace(
        found,
        hosts=tuple(sorted(_hosts(records), key=lambda h: h.name)),
        networks=tuple(sorted((_network(records, n) for n in records.networks), key=lambda n: (n.tenant, n.name))),
        endpoints=tuple(sorted((_endpoint(records, e) for e in records.endpoints), key=lambda e: (e.network, e.id))),
        backends=tuple(
            told_of(records, backend, daemons.get("volplugin", "not asked"))
            for backend in sorted(records.backends, key=lambda b: b.name)
        ),
        volumes=tuple(sorted(troubled(records), key=lambda v: v.name)),
        records=True,
    )


def _daemon(name: str, told: Mapping[str, Any] | str) -> DaemonStatus:
    if isinstance(told, str):
        return DaemonStatus(name, running=False, problem=told)
    return DaemonStatus(
        name,
        running=True,
        version=told.get("version"),
        seconds=told.get("seconds"),
        memory=told.get("memory"),
        in_sync=told.get("in_sync"),
        failures=tuple(_failure(f) for f in told.get("failures") or () if isinstance(f, Mapping)),
        told=told,
    )


def _failure(told: Mapping[str, Any]) -> FailureStatus:
    seconds = told.get("seconds")
    return FailureStatus(
        layer=str(told.get("layer", "")),
        key=str(told.get("key", "")),
        reason=str(told.get("reason", "")),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
    )


def _named(told: Mapping[str, Any], records: Records | None) -> Mapping[str, Any]:
    """Return what a daemon tells with volumes called by their names where it has their ids."""
    names = {} if records is None else {str(volume.id): f"volume {volume.name}" for volume in records.volumes}
    failures = [
        {**failure, "key": names.get(str(failure.get("key")), failure.get("key", ""))}
        for failure in told.get("failures") or ()
        if isinstance(failure, Mapping)
    ]
    return {**told, "failures": failures}


def _hosts(records: Records) -> Iterator[HostStatus]:
    for host in records.hosts:
        count = sum(1 for _ in records.endpoints.of(host=host.id))
        yield HostStatus(host.name, count, host.vtep, dict(host.versions))


def _network(records: Records, network: Network) -> NetworkStatus:
    tenant = records.tenants.get(network.tenant)
    subnets = [
        SubnetStatus(str(s.cidr), str(s.gateway) if s.gateway else None, _taken(records.addresses.of(subnet=s.id)))
        for s in records.subnets.of(network=network.id)
    ]
    hosts = {_name(records.hosts.get(known.host)): 0 for known in records.docker_networks.of(network=network.id)}
    for endpoint in records.endpoints.of(network=network.id):
        name = _name(records.hosts.get(endpoint.host))
        hosts[name] = hosts.get(name, 0) + 1
    return NetworkStatus(
        name=network.name,
        tenant=tenant.name if tenant else "?",
        kind=network.kind,
        segment=network.segment,
        mtu=network.mtu,
        gateway="internal" if network.internal else network.gateway,
        isolation=network.isolation,
        subnets=tuple(sorted(subnets, key=lambda s: s.cidr)),
        hosts=dict(sorted(hosts.items())),
    )


def _endpoint(records: Records, endpoint: Endpoint) -> EndpointStatus:
    network = records.networks.get(endpoint.network)
    reason = None if endpoint.up else endpoint.problem or "its flows are not confirmed by the controller"
    return EndpointStatus(
        id=endpoint.docker_id,
        network=network.name if network else "?",
        host=_name(records.hosts.get(endpoint.host)),
        port=endpoint.port,
        mac=endpoint.mac,
        addresses=tuple(str(address.ip) for address in (endpoint.ipv4, endpoint.ipv6) if address is not None),
        up=endpoint.up,
        reason=reason,
    )


def _taken(addresses: Iterator[Address]) -> int:
    return sum(1 for _ in addresses)


def _name(host: Host | None) -> str:
    return host.name if host is not None else "?"
