"""The command `moorage volume`: what Docker's own `docker volume` cannot say or do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.backends.asked import pairs
from cli.output import echo_json, echo_table, json_option
from cli.store import NotDone, config_option, configured, open_store, tried
from cli.volumes.wait import wait

if TYPE_CHECKING:
    from cli.volumes.told import VolumeTold

RETAINED = {  # what is said of a removed volume's data
    "trash": "; `moorage volume restore` brings it back",
    "delete": ", with its data",
    "keep": "; its data stays where it is",
}


@click.group()
def volume() -> None:
    """List volumes, look into the trash, bring volumes back, rename, import, delete and enlarge them.

    \b
    Exit codes of all commands:
      0  done
      1  it cannot be done, or not yet; the text says why
      2  wrong usage or configuration
      3  the records cannot be read or changed
    """  # noqa: D301  # \b is click's mark


@volume.command()
@click.option("--trash", is_flag=True, help="Those that were removed, and for how long they can be restored.")
@json_option
@config_option
def ls(path: Path | None, *, trash: bool, as_json: bool) -> None:
    """List the volumes of the cluster.  A state with a `!` cannot be brought on: `show` says why."""
    from cli.volumes.told import COLUMNS, TRASH_COLUMNS, row, told, trash_row

    config, now = configured(path), time.time()
    with open_store(config) as store:
        records = store.snapshot()
    found = [
        told(records, one, trash=config.volplugin.trash_for, now=now)
        for one in sorted(records.volumes, key=lambda v: (v.name, v.removed))
        if bool(one.removed) == trash
    ]
    if as_json:
        echo_json(found)
    elif trash:
        echo_table(TRASH_COLUMNS, [trash_row(one, now) for one in found], "the trash is empty")
    else:
        echo_table(COLUMNS, [row(one) for one in found], "no volumes")


@volume.command()
@click.argument("name")
@json_option
@config_option
def show(name: str, path: Path | None, *, as_json: bool) -> None:
    """Show all of the volume NAME, which may also be a removed one, or its id."""
    from cli.volumes.told import find, lines, told

    config = configured(path)
    with tried(config) as store:
        records = store.snapshot()
        found: VolumeTold = told(records, find(records, name), trash=config.volplugin.trash_for, now=time.time())
    if as_json:
        echo_json(found)
        return
    for word, text in lines(found):
        click.echo(f"{word + ':':<10} {text}")


@volume.command()
@click.argument("name")
@config_option
def restore(name: str, path: Path | None) -> None:
    """Bring NAME back from the trash; where several of that name are in it, the last one, or that of an id."""
    from volplugin import changes

    config = configured(path)
    with tried(config) as store:
        back = changes.restore(store, name, config.host_name())
        wait(config, store, back)
    click.echo(f"volume {back.name} is back")


@volume.command()
@click.argument("name")
@click.argument("new")
@config_option
def rename(name: str, new: str, path: Path | None) -> None:
    """Call the volume NAME NEW from now on; its data stays where it is.  No container may use it."""
    from volplugin import changes

    with tried(configured(path)) as store:
        changes.rename(store, name, new)
    click.echo(f"volume {name} is called {new} now; containers that were made with {name} must be made anew")


@volume.command("import")
@click.argument("name")
@click.option("--backend", required=True, help="Where the directory is: a name of `moorage backend ls`.")
@click.option("--path", "directory", required=True, help="The directory, below the backend's share.")
@click.option("--option", "-o", "given", multiple=True, metavar="KEY=VALUE", help="access, retain, tenant, labels.")
@config_option
def import_(name: str, backend: str, directory: str, given: Sequence[str], path: Path | None) -> None:
    """Make the volume NAME of a directory that a backend has already; what is in it stays as it is.

    Where the volume is removed, the directory stays, unless -o retain=trash or -o retain=delete says otherwise.
    """
    from volplugin.backends.registry import kind
    from volplugin.imports import import_directory

    config = configured(path)
    with tried(config) as store:
        made = import_directory(
            store,
            name,
            backend,
            directory,
            pairs(given),
            host=config.host_name(),
            shared=lambda place: kind(place.kind).SHARED,
            now=time.time,
        )
        wait(config, store, made)
    click.echo(f"volume {name} is {directory} on {backend}")


@volume.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--now", is_flag=True, help="Delete the data, whatever `retain` says; also from the trash, by name or id."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def rm(names: Sequence[str], path: Path | None, *, now: bool, yes: bool) -> None:
    """Remove volumes as `docker volume rm` does, or with --now delete them and their data for good."""
    from volplugin import changes
    from volplugin.backends.registry import kind
    from volplugin.volumes import Volumes

    config = configured(path)
    if now and not yes:
        click.confirm(f"delete all data of {', '.join(names)}? It cannot be restored", abort=True)
    for name in names:
        with tried(config) as store:
            if now:
                gone = changes.delete_now(store, name, config.host_name(), time.time)
                wait(config, store, gone)
                click.echo(f"volume {name} is deleted")
                continue
            volumes = Volumes(
                store, config.host_name(), default="", shared=lambda b: kind(b.kind).SHARED, now=time.time
            )
            if (removed := volumes.remove(name)) is None:
                raise NotDone(f"volume {name} does not exist")
        click.echo(f"volume {name} is removed{RETAINED[str(removed.retain)]}")


@volume.command()
@click.argument("name")
@click.argument("size")
@config_option
def resize(name: str, size: str, path: Path | None) -> None:
    """Let the volume NAME hold SIZE (such as 20G), which is more than before; containers go on using it."""
    from volplugin import changes, options

    config = configured(path)
    with tried(config) as store:
        grown = changes.resize(store, name, options.size(size), config.host_name())
        wait(config, store, grown)
    click.echo(f"volume {name} may hold {size} now")


@volume.command("take-over")
@click.argument("name")
@config_option
def take_over(name: str, path: Path | None) -> None:
    """Let this host finish what another one began with the volume NAME, and cannot end since it is gone for good."""
    from volplugin import changes

    config = configured(path)
    with tried(config) as store:
        taken = changes.take_over(store, name, config.host_name())
        wait(config, store, taken)
    click.echo(f"volume {taken.name} is this host's business now, and nothing is left to do")
