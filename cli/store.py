"""What commands that read or change the records share: the configuration, the connection, and what is said without."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemonkit import log as logs
from daemonkit.config import Config, ConfigError, load

if TYPE_CHECKING:
    from records.store import Store

RECORDS_WITHIN = 2.0  # seconds to wait for the records

config_option = click.option(
    "--config", "path", type=click.Path(path_type=Path), help="Configuration; /etc/moorage/moorage.toml."
)


class RecordsAway(click.ClickException):
    """The records cannot be read or changed."""

    exit_code = 3


def configured(path: Path | None) -> Config:
    """Return the configuration.  Raises click.UsageError where it is wrong."""
    try:
        config = load(path)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    logs.configure("error", "auto", "moorage")  # what goes wrong is in what we print
    return config


@contextlib.contextmanager
def open_store(config: Config) -> Iterator[Store]:
    """Give the records for the time of a `with`; RecordsAway where they cannot be changed."""
    from records.errors import RecordsError
    from records.ovsdb import OvsdbStore

    with contextlib.closing(OvsdbStore(config.records.remote)) as store:
        store.ready(RECORDS_WITHIN)
        try:
            yield store
        except RecordsError as error:
            raise RecordsAway(str(error)) from error
