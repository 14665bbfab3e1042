"""The command `moorage trace`: decode, follow, print."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.store import config_option, configured
from daemonkit.config import Config

if TYPE_CHECKING:
    from cli.tracing.story import Story
    from records.snapshot import Records

RECORDS_WITHIN = 2.0  # seconds to wait for the records


class CannotSay(click.ClickException):
    """This host does not tell enough."""

    exit_code = 2


@click.command()
@click.argument("src")
@click.argument("dst")
@click.option("--port", type=click.IntRange(1, 65535), help="Destination port; without it, a ping is followed.")
@click.option(
    "--proto", type=click.Choice(["tcp", "udp", "sctp", "icmp"]), help="Protocol; tcp with --port, else icmp."
)
@click.option("--network", help="Docker's name of the network to use, where a container is on several.")
@click.option("-6", "six", is_flag=True, help="Over IPv6, where names have addresses of both families.")
@click.option("-v", "--verbose", is_flag=True, help="Show the flow or rule behind each step.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@config_option
def trace(  # noqa: PLR0917  # click gives all by name
    src: str,
    dst: str,
    port: int | None,
    proto: str | None,
    network: str | None,
    path: Path | None,
    *,
    six: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Say step by step what would happen to a packet from SRC to DST, and to its answer.

    SRC and DST are names of containers on this host, IP addresses, `host` (this host) or `outside` (somebody beyond
    it).  Nothing is sent, and nothing changed: the switch, the kernel's routes and iptables are asked.

    \b
    Exit codes:
      0  delivered, or it leaves the host
      1  dropped, or refused: nothing listens there
      2  it cannot be said, or wrong usage
    """  # noqa: D301  # \b is click's mark
    from cli.tracing import story

    config = configured(path)
    asked = Asked(src, dst, _protocol(proto, port), port, network, six)
    told = follow(config, asked)
    if as_json:
        click.echo(story.as_json(told))
    else:
        for line in story.lines(told, verbose=verbose):
            click.echo(line)
    sys.exit(told.verdict.exit_code)


def _protocol(proto: str | None, port: int | None) -> str:
    """Return the protocol that is meant."""
    if proto == "icmp" and port is not None:
        raise click.UsageError("icmp has no ports: leave out --port, or choose another --proto")
    if proto not in {None, "icmp"} and port is None:
        raise click.UsageError(f"{proto} needs a port: --port N")
    return proto or ("icmp" if port is None else "tcp")


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants to know."""

    src: str
    dst: str
    protocol: str
    port: int | None
    network: str | None
    six: bool


def follow(config: Config, asked: Asked) -> Story:
    """Ask this host."""
    from cli.tracing.facts import CannotLook
    from cli.tracing.journey import Journey, Way
    from cli.tracing.places import NoPlace, resolve
    from cli.tracing.system.machine import ThisHost

    records, problem = _records(config)
    with contextlib.closing(ThisHost(config)) as machine:
        try:
            site = machine.site(records)
            version = _version(asked)
            places = resolve(asked.src, site, version), resolve(asked.dst, site, version)
        except NoPlace as error:
            raise click.UsageError(str(error)) from error
        except CannotLook as error:
            raise CannotSay(str(error)) from error
        journey = Journey(machine, site, config.host_name(), config.openvswitch.bridge, Way(version, asked.network))
        notes = () if problem is None else (f"{problem}: what the records say of the endpoints is not known",)
        return journey.run(*places, asked.protocol, asked.port, notes)


def _version(asked: Asked) -> int:
    """Return the family: that of the addresses that were given, else IPv4 unless the user wants IPv6."""
    found = set()
    for name in (asked.src, asked.dst):
        with contextlib.suppress(ValueError):
            found.add(ipaddress.ip_address(name.strip("[]")).version)
    if len(found) > 1 or (asked.six and found == {4}):
        raise click.UsageError("SRC and DST must be of one family: both IPv4, or both IPv6")
    return found.pop() if found else 6 if asked.six else 4


def _records(config: Config) -> tuple[Records | None, str | None]:
    """Return the records, or why they cannot be read."""
    from records.errors import Unavailable
    from records.ovsdb import OvsdbStore

    with contextlib.closing(OvsdbStore(config.records.remote)) as store:
        store.ready(RECORDS_WITHIN)
        try:
            return store.snapshot(), None
        except Unavailable as error:
            return None, str(error)
