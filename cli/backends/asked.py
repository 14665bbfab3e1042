"""What the user of `moorage backend` means: the backend of a name, or the definition that options spell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cli.store import NotDone, open_store
from daemonkit.config import Config

if TYPE_CHECKING:
    from records.model import Backend
    from records.snapshot import Records
    from volplugin.backends.kind import Definition


class WithKinds(click.Command):
    """A command whose help lists the kinds there are, also those of other packages, with their options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the kinds below the command's own options."""
        from volplugin.backends.common import OPTIONS
        from volplugin.backends.kind import BadDefinition
        from volplugin.backends.registry import kind, names

        for name in names():
            with formatter.section(f"Kind {name}"):
                try:
                    found = kind(name)
                except BadDefinition as error:
                    formatter.write_text(str(error))
                    continue
                formatter.write_dl([("--source", found.SOURCE), *((f"-o {o}", m) for o, m in found.OPTIONS.items())])
        with formatter.section("All kinds"):
            formatter.write_dl([(f"-o {option}", meaning) for option, meaning in OPTIONS.items()])


kind_option = click.option("--kind", help="What it is: see below.")
source_option = click.option("--source", help="What is mounted: see below.")
given_option = click.option(
    "--option", "-o", "given", multiple=True, metavar="KEY=VALUE", help="An option of the kind; repeatable."
)


def asked_for(
    config: Config, name: str | None, kind: str | None, source: str | None, given: Sequence[str]
) -> Definition:
    """Return what is to be tried."""
    if kind is not None and source is not None:
        return definition(name or "test", kind, source, given)
    if name is None or kind is not None or source is not None or given:
        raise click.UsageError("say either the NAME of a backend, or --kind and --source (and -o) of a new one")
    with open_store(config) as store:
        known = known_backend(store.snapshot(), name)
    return definition(known.name, known.kind, known.source, [f"{key}={text}" for key, text in known.options.items()])


def definition(name: str, kind: str, source: str, given: Sequence[str]) -> Definition:
    """Return a definition that can be; raises click.UsageError."""
    from volplugin.backends.kind import BadDefinition, Definition
    from volplugin.backends.registry import checked
    from volplugin.names import BACKEND

    if not BACKEND.fullmatch(name):
        raise click.UsageError(f"{name!r} is not a name: letters, digits, '_', '.' and '-', at most 63")
    asked = Definition(name=name, kind=kind, source=source, options=pairs(given))
    try:
        checked(asked)
    except BadDefinition as error:
        raise click.UsageError(str(error)) from error
    return asked


def known_backend(records: Records, name: str) -> Backend:
    """Return the backend of that name, or raise NotDone."""
    if (known := records.backends.one(name=name)) is None:
        raise NotDone(f"there is no backend {name}; `moorage backend ls` lists them")
    return known


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Return options by name; raises click.UsageError where one is not KEY=VALUE."""
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key:
            raise click.UsageError(f"-o {text} is not KEY=VALUE")
        found[key] = value if equals else ""
    return found
