"""How a status looks: tables for people, JSON for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from cli.output import bytes_, duration
from cli.status import DatabaseStatus, Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SHORT = 12  # letters of an id, as docker shows it
WIDTH = 140  # columns where the output is no terminal


def as_json(status: Status) -> str:
    """Return the status as JSON: the fields of `cli.status.Status`; keys are added, never renamed."""
    plain = {**dataclasses.asdict(status), "exit_code": status.exit_code}
    return msgspec.json.format(msgspec.json.encode(plain, enc_hook=str), indent=2).decode()


def console() -> Console:
    """Return where tables are printed."""
    from rich.console import Console

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)


def print_status(status: Status, to: Console) -> None:
    """Print the status for people: what is wrong first, then what there is."""
    from rich.markup import escape

    to.print(f"host [bold]{status.host}[/bold], {_database(status.database)}")
    for member in status.database.members if len(status.database.members) > 1 else ():
        to.print(f"  {member.remote}: {escape(member.problem or ('leads' if member.leader else 'follows'))}")
    to.print(_daemons(status))
    if not status.records:
        to.print("[red]hosts, networks and endpoints are not known while the records cannot be read[/red]")
        return
    to.print(_hosts(status))
    to.print(_networks(status))
    to.print(_endpoints(status))
    if status.backends:
        to.print(_backends(status))
    if status.volumes:
        to.print(_volumes(status))


def _database(database: DatabaseStatus) -> str:
    from rich.markup import escape

    if not database.reachable:
        return f"[red]{escape(database.problem or 'records unavailable')}[/red]"
    return f"records at {database.leader or '?'}"


def _table(title: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _daemons(status: Status) -> Table:
    def rows() -> Iterator[tuple[str, ...]]:
        for daemon in status.daemons:
            since = duration(daemon.seconds) if daemon.seconds is not None else "-"
            memory = f"{daemon.memory / 1e6:.0f} MB" if daemon.memory else "-"
            yield daemon.name, daemon.version or "-", since, memory, _state(daemon.complaint)

    return _table("Daemons of this host", ("daemon", "version", "runs for", "memory", "state"), rows())


def _hosts(status: Status) -> Table:
    def rows() -> Iterator[tuple[str, ...]]:
        for host in status.hosts:
            versions = ", ".join(f"{name} {version}" for name, version in sorted(host.versions.items()))
            yield host.name, str(host.endpoints), host.vtep or "-", versions

    return _table("Hosts", ("host", "endpoints", "tunnel address", "versions"), rows())


def _networks(status: Status) -> Table:
    def rows() -> Iterator[tuple[str, ...]]:
        for network in status.networks:
            name = network.name if network.tenant == "default" else f"{network.tenant}/{network.name}"
            subnets = "\n".join(f"{s.cidr} ({s.taken} taken)" for s in network.subnets)
            gateways = "\n".join(s.gateway or "-" for s in network.subnets)
            hosts = "\n".join(f"{host}: {count}" for host, count in network.hosts.items())
            yield _short(name), network.kind, str(network.segment), subnets, gateways, network.gateway, hosts

    columns = ("network", "kind", "segment", "subnet", "gateway", "behind it", "endpoints by host")
    return _table("Networks", columns, rows())


def _endpoints(status: Status) -> Table:
    def rows() -> Iterator[tuple[str, ...]]:
        for e in status.endpoints:
            addresses = "\n".join(e.addresses)
            yield e.id[:SHORT], _short(e.network), e.host, addresses, e.mac, e.port, _state(e.reason, "up")

    return _table("Endpoints", ("endpoint", "network", "host", "address", "MAC", "port", "state"), rows())


def _backends(status: Status) -> Table:
    def rows() -> Iterator[tuple[str, ...]]:
        for b in status.backends:
            space = f"{bytes_(b.available)} of {bytes_(b.total)}" if b.total is not None else "-"
            volumes = f"{len(b.volumes)}, and {len(b.removed)} in the trash" if b.removed else str(len(b.volumes))
            mounted = "yes" if b.mounted else "no"
            yield b.name, b.kind, escape(b.source), volumes, space, mounted, _state(b.problem)

    from rich.markup import escape

    columns = ("backend", "kind", "source", "volumes", "free", "mounted here", "state here")
    return _table("Backends", columns, rows())


def _volumes(status: Status) -> Table:
    def rows() -> Iterator[tuple[str, ...]]:
        for v in status.volumes:
            yield v.name, v.backend, v.state, v.host, _state(v.problem)

    return _table("Volumes in trouble", ("volume", "backend", "state", "host that tries", "why"), rows())


def _state(complaint: str | None, well: str = "well") -> str:
    from rich.markup import escape

    return f"[green]{well}[/green]" if complaint is None else f"[red]{escape(complaint)}[/red]"


def _short(name: str) -> str:
    """Shorten a name that is Docker's id of 64 digits."""
    digits = name.rpartition("/")[2]
    is_id = len(digits) == 64 and set(digits) <= set("0123456789abcdef")
    return name[: len(name) - 64 + SHORT] if is_id else name
