"""The command `moorage sticky`: which addresses are kept for names, and how one is given up."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.store import RecordsAway, config_option, configured, open_store
from daemonkit.config import Config

if TYPE_CHECKING:
    from records.model import Address, Network
    from records.snapshot import Records
    from records.writes import Write


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """An address that is kept for a name."""

    network: str  # as Docker on this host calls it, or as Moorage does
    name: str
    address: str
    mac: str | None
    carried: bool  # whether a container has it now


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@config_option
@click.pass_context
def sticky(context: click.Context, path: Path | None, *, as_json: bool) -> None:
    """List the addresses that are kept for names (driver-opt moorage.sticky=NAME), or give one up (rm).

    \b
    Exit codes:
      0  done
      1  nothing is kept for that name
      2  wrong usage or configuration
      3  the records cannot be read
    """  # noqa: D301  # \b is click's mark
    if context.invoked_subcommand is not None:
        return
    config = configured(path)
    with open_store(config) as store:
        found = sorted(kept(store.snapshot(), _names(config)), key=lambda k: (k.network, k.name, k.address))
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode([dataclasses.asdict(k) for k in found]), indent=2).decode())
        return
    for line in _table(found):
        click.echo(line)


@sticky.command()
@click.argument("network")
@click.argument("name")
@config_option
def rm(network: str, name: str, path: Path | None) -> None:
    """Give up what is kept for NAME on NETWORK; a container that carries it now keeps its address until it stops."""
    from records.errors import RecordsError
    from records.store import decide

    config = configured(path)
    names = _names(config)

    def decision(records: Records) -> tuple[list[Write], list[Address]]:
        rows = [a for n, a in _reserved(records) if a.sticky == name.lower() and _is(records, n, network, names)]
        return [given_up(row) for row in rows], rows

    with open_store(config) as store:
        try:
            gone = decide(store, decision)
        except RecordsError as error:
            raise RecordsAway(str(error)) from error
    if not gone:
        click.echo(f"nothing is kept for {name} on network {network}; `moorage sticky` lists what is", err=True)
        sys.exit(1)
    for row in gone:
        click.echo(f"{row.ip} is no longer kept for {name}")


def kept(records: Records, names: Mapping[str, str]) -> Iterator[Kept]:
    """Yield what is kept; `names` are Docker's names of its networks, by Docker's id."""
    for network, row in _reserved(records):
        mine = (names.get(on.docker_id) for on in records.docker_networks.of(network=network.id))
        called = next(filter(None, mine), network.name)
        yield Kept(called, row.sticky or "", str(row.ip), row.mac, not row.free)


def given_up(row: Address) -> Write:
    """Return the write after which an address is kept for nobody."""
    from records.writes import Delete, Update

    return Delete(row) if row.free else Update(row, dataclasses.replace(row, sticky=None))


def _reserved(records: Records) -> Iterator[tuple[Network, Address]]:
    for row in records.addresses:
        subnet = records.subnets.get(row.subnet)
        network = None if subnet is None else records.networks.get(subnet.network)
        if row.sticky is not None and network is not None:
            yield network, row


def _is(records: Records, network: Network, called: str, names: Mapping[str, str]) -> bool:
    """Say whether the user means this network: by Moorage's name, or Docker's name or id of it."""
    ids = [on.docker_id for on in records.docker_networks.of(network=network.id)]
    return network.name == called or any(
        names.get(known) == called or (len(called) >= 12 and known.startswith(called)) for known in ids
    )


def _names(config: Config) -> Mapping[str, str]:
    """Return Docker's names of networks by id; none while Docker does not answer."""
    import msgspec

    from daemonkit.docker import Docker, DockerAway

    class Known(msgspec.Struct, frozen=True, rename="pascal"):
        id: str
        name: str = ""

    try:
        return {known.id: known.name for known in Docker(config.netplugin.docker).get("/networks", list[Known])}
    except DockerAway:
        return {}


def _table(found: Sequence[Kept]) -> Iterator[str]:
    if not found:
        yield "nothing is kept"
        return
    rows = [("NETWORK", "NAME", "ADDRESS", "MAC", "")]
    rows += [(k.network, k.name, k.address, k.mac or "", "carried" if k.carried else "free") for k in found]
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
