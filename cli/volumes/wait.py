"""Waiting for what a daemon makes of a volume's state, with progress where that takes long."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from cli.store import NotDone, volplugin_says
from daemonkit.config import Config
from volplugin.plan.needs import at_rest

if TYPE_CHECKING:
    from records.model import Volume
    from records.store import Store

IDLE = 60.0  # seconds without any progress after which nobody waits on
LOOK, TELL = 0.05, 1.0  # seconds between looks, and between words


def wait(config: Config, store: Store, volume: Volume) -> None:
    """Wait until nothing is to be done for the volume any more.

    Who waits may go: the daemon of the volume's steward does it all the same.

    Raises:
        NotDone: it cannot be done, or nothing has happened for a minute.

    """
    heard, said, told = time.monotonic(), "", time.monotonic()
    while (found := store.snapshot().volumes.get(volume.id)) is not None and not at_rest(found):
        if found.problem is not None:
            raise NotDone(f"volume {found.name}: {found.problem}")
        now = time.monotonic()
        if now - told > TELL:
            told, before = now, said
            said = _progress(config, found)
            heard = heard if said == before else now
            if sys.stderr.isatty():
                click.echo(f"\r{said}", nl=False, err=True)
        if now - heard > IDLE:
            host = store.snapshot().hosts.get(found.steward)
            raise NotDone(
                f"volume {found.name} is still {found.state}; moorage-volplugin of host {host.name if host else '?'} "
                "is to do it and goes on trying: `moorage status` there says what is in its way"
            )
        time.sleep(LOOK)
    if said and sys.stderr.isatty():
        click.echo("\r" + " " * len(said) + "\r", nl=False, err=True)


def _progress(config: Config, volume: Volume) -> str:
    """Return how far it is, as far as this host's daemon knows."""
    told = volplugin_says(config)
    counts = {} if isinstance(told, str) else dict(told.get("deletions") or {})
    count = counts.get(str(volume.id))
    return f"{volume.name}: {volume.state}" + (f", {count} files and directories so far" if count else "")
