"""The command `moorage backend`: the operator's places for volumes."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.backends.asked import WithKinds, asked_for, definition, given_option, kind_option, known_backend, source_option
from cli.output import bytes_, echo_json, echo_table, json_option
from cli.store import NotDone, config_option, configured, decided, open_store, volplugin_says
from daemonkit.config import Config

if TYPE_CHECKING:
    from cli.backends.told import BackendTold
    from records.snapshot import Records
    from records.writes import Write

COLUMNS = ("NAME", "KIND", "SOURCE", "VOLUMES", "TRASH", "FREE", "HEALTH")


@click.group()
def backend() -> None:
    """Define where volumes are kept, list these places, and look whether they work."""


@backend.command(cls=WithKinds)
@click.argument("name")
@click.option("--kind", required=True, help="What it is: see below.")
@click.option("--source", required=True, help="What is mounted: see below.")
@given_option
@config_option
def add(name: str, kind: str, source: str, given: Sequence[str], path: Path | None) -> None:
    """Define the backend NAME; `moorage backend test --kind ... --source ...` tries it before.

    \b
    Exit codes:
      0  defined
      1  there is another of that name
      2  wrong usage: the name, the kind, the source or an option cannot be
      3  the records cannot be changed
    """  # noqa: D301  # \b is click's mark
    from records.model import Backend, BackendId
    from records.writes import Insert

    config = configured(path)
    asked = definition(name, kind, source, given)
    made = Backend(
        id=BackendId(uuid.uuid4()),
        name=name,
        kind=kind,
        source=source,
        options=asked.options,
        created=int(time.time()),
    )

    def decision(records: Records) -> tuple[list[Write], None]:
        if (known := records.backends.one(name=name)) is not None:
            raise NotDone(f"backend {name} exists: {known.kind} {known.source}")
        return [Insert(made)], None

    decided(config, decision)
    click.echo(f"backend {name} is {kind} {source}")


@backend.command()
@json_option
@config_option
def ls(path: Path | None, *, as_json: bool) -> None:
    """List the backends; health and free space are as this host's volplugin sees them.

    \b
    Exit codes:
      0  listed
      2  wrong usage or configuration
      3  the records cannot be read
    """  # noqa: D301
    config = configured(path)
    found = _told(config)
    if as_json:
        echo_json(found)
        return
    echo_table(COLUMNS, [_row(one) for one in found], "no backends; `moorage backend add` defines one")
    for one in found:
        if one.problem is not None:
            click.echo(f"{one.name}: {one.problem}")


@backend.command()
@click.argument("name")
@json_option
@config_option
def show(name: str, path: Path | None, *, as_json: bool) -> None:
    """Show all of the backend NAME.

    \b
    Exit codes:
      0  shown
      1  there is no such backend
      2  wrong usage or configuration
      3  the records cannot be read
    """  # noqa: D301
    found = next((one for one in _told(configured(path)) if one.name == name), None)
    if found is None:
        raise NotDone(f"there is no backend {name}; `moorage backend ls` lists them")
    if as_json:
        echo_json(found)
        return
    for word, text in _lines(found):
        click.echo(f"{word + ':':<10} {text}")


@backend.command()
@click.argument("name")
@config_option
def rm(name: str, path: Path | None) -> None:
    """Forget the backend NAME, which no volume is on, none in the trash either.  Data there is not touched.

    \b
    Exit codes:
      0  forgotten
      1  there is none of that name, or volumes are on it
      2  wrong usage or configuration
      3  the records cannot be changed
    """  # noqa: D301
    from cli.backends.told import in_the_way, told
    from records.writes import Delete

    def decision(records: Records) -> tuple[list[Write], None]:
        known = known_backend(records, name)
        if (problem := in_the_way(told(records, known, {}))) is not None:
            raise NotDone(problem)
        return [Delete(known)], None

    decided(configured(path), decision)
    click.echo(f"backend {name} is forgotten; what is on it stays")


@backend.command(cls=WithKinds)
@click.argument("name", required=False)
@kind_option
@source_option
@given_option
@json_option
@config_option
def test(
    name: str | None, kind: str | None, source: str | None, given: Sequence[str], path: Path | None, *, as_json: bool
) -> None:
    """Try the backend NAME, or one that is not defined yet (--kind, --source): look, mount, write, read, unmount.

    It is tried on this host, apart from what is mounted for containers, and says at each step what it found.

    \b
    Exit codes:
      0  it works
      1  it does not; what was found says why and what to do
      2  wrong usage, or a definition that cannot be
      3  the records cannot be read
    """  # noqa: D301
    from cli.backends.trial import trial

    config = configured(path)
    asked = asked_for(config, name, kind, source, given)
    found = []
    for finding in trial(asked):
        found.append(finding)
        if not as_json:
            click.echo(f"{'ok  ' if finding.good else 'FAIL'}  {finding.what}: {finding.found}")
            if not finding.good and finding.advice:
                click.echo(f"      what to do: {finding.advice}")
    if as_json:
        echo_json(found)
    sys.exit(0 if found and all(finding.good for finding in found) else 1)


def _told(config: Config) -> list[BackendTold]:
    from cli.backends.told import told

    with open_store(config) as store:
        records = store.snapshot()
    daemon = volplugin_says(config)
    return [told(records, one, daemon) for one in sorted(records.backends, key=lambda b: b.name)]


def _row(one: BackendTold) -> tuple[str, ...]:
    return (
        one.name,
        one.kind,
        one.source,
        str(len(one.volumes)),
        str(len(one.removed)),
        f"{bytes_(one.available)} of {bytes_(one.total)}" if one.total is not None else "",
        one.health,
    )


def _lines(one: BackendTold) -> list[tuple[str, str]]:
    lines = [
        ("backend", one.name),
        ("kind", one.kind),
        ("source", one.source),
        ("options", ", ".join(f"{key}={text}" for key, text in sorted(one.options.items()))),
        ("health", f"{one.health}: {one.problem}" if one.problem else one.health),
        ("mounted", "on this host" if one.mounted else "not on this host now"),
        ("space", f"{bytes_(one.available)} free of {bytes_(one.total)}" if one.total is not None else ""),
        ("volumes", ", ".join(one.volumes)),
        ("trash", ", ".join(one.removed)),
        ("in use by", ", ".join(f"{host}: {count}" for host, count in one.holders.items())),
    ]
    return [(word, text) for word, text in lines if text]
