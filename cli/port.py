"""The command `moorage port`: ask the records and Docker, print."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cli.store import config_option, configured
from daemonkit.config import Config

if TYPE_CHECKING:
    from cli.ports import Known, PublishedPort

RECORDS_WITHIN = 2.0  # seconds to wait for the records


class NotThere(click.ClickException):
    """No such container or port."""

    exit_code = 1


class Unreachable(click.ClickException):
    """The records or Docker do not answer."""

    exit_code = 3


@click.command()
@click.argument("container", required=False)
@click.argument("port", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@config_option
def port(container: str | None, port: str | None, path: Path | None, *, as_json: bool) -> None:
    """Show the published ports of this host's containers, as `docker port` cannot for networks of a plugin.

    CONTAINER is a name or id; PORT is one of the container's, like 80 or 53/udp.

    \b
    Exit codes:
      0  shown; without PORT there may be none
      1  no such container, or PORT is not published
      2  wrong usage or configuration
      3  the records cannot be read, or Docker does not say which container is meant
    """  # noqa: D301  # \b is click's mark
    from cli import ports

    config = configured(path)
    known, away = _containers(config)
    if container is not None and away is not None:
        raise Unreachable(f"Docker does not say which container is {container}: {away}")
    try:
        found = _published(config, known)
        if container is not None:
            found = ports.of_container(found, ports.container_named(container, known), port)
    except ports.NotPublished as error:
        raise NotThere(str(error)) from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(ports.plain(found)), indent=2).decode())
    else:
        for line in ports.lines(found, container=container is not None, asked=port is not None):
            click.echo(line)


def _published(config: Config, known: list[Known]) -> list[PublishedPort]:
    from cli.ports import published
    from records.errors import Unavailable
    from records.ovsdb import OvsdbStore

    with contextlib.closing(OvsdbStore(config.records.remote)) as store:
        store.ready(RECORDS_WITHIN)
        try:
            records = store.snapshot()
        except Unavailable as error:
            raise Unreachable(str(error)) from error
        host = records.hosts.one(name=config.host_name())
        return [] if host is None else published(records, host, known)


def _containers(config: Config) -> tuple[list[Known], str | None]:
    """Return the containers that Docker knows, or why it does not say."""
    from cli.ports import Known
    from cli.tracing.wire import Listed
    from daemonkit.docker import Docker, DockerAway

    try:
        listed = Docker(config.netplugin.docker).get("/containers/json?all=1", list[Listed])
    except DockerAway as error:
        return [], str(error)
    return [Known(c.id, c.name, frozenset(n.endpoint_id for n in c.networks.values())) for c in listed], None
