"""The command `moorage backend`: the operator's places for volumes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.store import config_option, configured, open_store

if TYPE_CHECKING:
    from records.snapshot import Records
    from records.writes import Write


@click.group()
def backend() -> None:
    """Define where volumes are kept, list these places, and look whether they work."""


@backend.command()
@click.argument("name")
@click.option("--kind", required=True, help="local, nfs, glusterfs, or a kind of another package.")
@click.option("--source", required=True, help="What is mounted: /directory, server:/export, server1,server2:/volume.")
@click.option("--option", "-o", "given", multiple=True, metavar="KEY=VALUE", help="An option of the kind; repeatable.")
@config_option
def add(name: str, kind: str, source: str, given: Sequence[str], path: Path | None) -> None:
    """Define the backend NAME."""
    from daemonkit.errors import PluginError
    from records.model import Backend, BackendId
    from records.store import decide
    from records.writes import Insert
    from volplugin.backends.kind import BadDefinition, Definition
    from volplugin.backends.registry import checked
    from volplugin.names import BACKEND

    config = configured(path)
    if not BACKEND.fullmatch(name):
        raise click.UsageError(f"{name!r} is not a name: letters, digits, '_', '.' and '-', at most 63")
    options = _pairs(given)
    try:
        checked(Definition(name=name, kind=kind, source=source, options=options))
    except BadDefinition as error:
        raise click.UsageError(str(error)) from error
    made = Backend(
        id=BackendId(uuid.uuid4()), name=name, kind=kind, source=source, options=options, created=int(time.time())
    )

    def decision(records: Records) -> tuple[list[Write], None]:
        if (known := records.backends.one(name=name)) is not None:
            raise click.ClickException(f"backend {name} exists: {known.kind} {known.source}")
        return [Insert(made)], None

    with open_store(config) as store:
        try:
            decide(store, decision)
        except PluginError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"backend {name} is {kind} {source}")


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key:
            raise click.UsageError(f"-o {text} is not KEY=VALUE")
        pairs[key] = value if equals else ""
    return pairs
