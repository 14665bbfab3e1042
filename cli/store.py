"""What commands that read or change the records share: the configuration, the connection, and what is said without."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from daemonkit import log as logs
from daemonkit.config import Config, ConfigError, load

if TYPE_CHECKING:
    from records.snapshot import Records
    from records.store import Store
    from records.writes import Write

RECORDS_WITHIN = 2.0  # seconds to wait for the records
DAEMON_WITHIN = 1.0  # seconds to wait for a daemon

T = TypeVar("T")

config_option = click.option(
    "--config", "path", type=click.Path(path_type=Path), help="Configuration; /etc/moorage/moorage.toml."
)


class NotDone(click.ClickException):
    """The command could not do what it was asked for."""

    exit_code = 1


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


def decided(config: Config, decision: Callable[[Records], tuple[Sequence[Write], T]]) -> T:
    """Look, decide and commit (`records.store.decide`).

    Raises:
        NotDone: what it asks for cannot be.
        RecordsAway: the records cannot be changed.

    """
    from records.store import decide

    with tried(config) as store:
        return decide(store, decision)


@contextlib.contextmanager
def tried(config: Config) -> Iterator[Store]:
    """Give the records for the time of a `with` whose refusals (`daemonkit.errors`) become NotDone."""
    from daemonkit.errors import PluginError

    with open_store(config) as store:
        try:
            yield store
        except PluginError as error:
            raise NotDone(str(error)) from error


def volplugin_says(config: Config) -> Mapping[str, Any] | str:
    """Return the status of this host's volplugin, or why there is none."""
    from daemonkit.admin import NotRunningError, fetch_status

    try:
        return fetch_status(config.volplugin.admin, DAEMON_WITHIN)
    except NotRunningError as error:
        return str(error)
