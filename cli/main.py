"""The command `moorage`: what it can be asked; how it finds out is in here, what it tells in `cli.status`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.backend import backend
from cli.port import port
from cli.sticky import sticky
from cli.store import config_option, configured
from cli.trace import trace
from cli.volume import volume
from daemonkit.config import Config
from daemonkit.version import version

if TYPE_CHECKING:
    from cli.status import Status

RECORDS_WITHIN = 2.0  # seconds to wait for the records
DAEMON_WITHIN = 1.0  # seconds to wait for a daemon


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="moorage")
def main() -> None:
    """Look at Moorage: Docker networks that belong to the cluster."""


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@config_option
def status(path: Path | None, *, as_json: bool) -> None:
    """Show hosts, networks, endpoints, backends of volumes, the daemons of this host and the database.

    \b
    Exit codes:
      0  all is well
      1  something is down: a daemon, an endpoint, a member of the database
      2  wrong usage or configuration
      3  the records cannot be read; what is known without them is shown
    """  # noqa: D301  # \b is click's mark
    from cli import render

    config = configured(path)
    found = look(config)
    if as_json:
        click.echo(render.as_json(found))
    else:
        render.print_status(found, render.console())
    sys.exit(found.exit_code)


main.add_command(trace)
main.add_command(port)
main.add_command(sticky)
main.add_command(backend)
main.add_command(volume)


def look(config: Config) -> Status:
    """Ask the database and the daemons."""
    from cli.status import status as put_together
    from records.errors import Unavailable
    from records.members import members
    from records.ovsdb import OvsdbStore

    store = OvsdbStore(config.records.remote)
    try:
        store.ready(RECORDS_WITHIN)
        try:
            records = store.snapshot()
        except Unavailable:
            records = None
        problem = store.problem()
    finally:
        store.close()
    found = members(config.records.remote, RECORDS_WITHIN)
    return put_together(config.host_name(), records, problem, found, _daemons(config))


def _daemons(config: Config) -> Mapping[str, Mapping[str, Any] | str]:
    from daemonkit.admin import NotRunningError, fetch_status

    told: dict[str, Mapping[str, Any] | str] = {}
    for name, socket in (
        ("netplugin", config.netplugin.admin),
        ("volplugin", config.volplugin.admin),
        ("controller", config.controller.admin),
    ):
        try:
            told[name] = fetch_status(socket, DAEMON_WITHIN)
        except NotRunningError as error:
            told[name] = str(error)
    return told


if __name__ == "__main__":
    main()
