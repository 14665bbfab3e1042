"""The command `moorage-lab`: a cluster to play with."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

import click

from lab.command import LabError
from lab.guest.guest import start as start_guest
from lab.lab import Lab, sweep


def main() -> None:
    """Run the command."""
    try:
        commands(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except LabError as error:
        click.echo(f"moorage-lab: {error}", err=True)
        sys.exit(1)


@click.group()
def commands() -> None:
    """Run a cluster on this machine: hosts with Docker, Open vSwitch and Moorage, apart from the machine's network."""
    if os.geteuid() != 0:
        msg = "must be run by root: it makes namespaces"
        raise LabError(msg)


@commands.command()
@click.argument("hosts", type=click.IntRange(1, 32), default=1)
@click.option("--name", default="play", show_default=True, help="Several labs may run under different names.")
@click.option("--docker", default="", help="Version, or Debian release, of Docker; see lab/dockers.sh.")
@click.option("--bare", is_flag=True, help="Docker and Open vSwitch only, without Moorage.")
def up(hosts: int, name: str, docker: str, *, bare: bool) -> None:
    """Start HOSTS hosts (1 unless said), say how to use them, and wait for ctrl-C."""
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # also where a shell started us in the background, which ignores SIGINT
        signal.signal(number, _interrupt)
    try:
        with Lab(name, hosts=hosts, release=docker, moorage=not bare) as lab:
            for host in lab.hosts:
                click.echo(f"{host.name} {host.address}  {host.where()}")
            click.echo(f"outside {lab.outside.address}  {' '.join(lab.outside.enter())} bash")
            click.echo("ctrl-C ends it")
            while True:
                time.sleep(1)  # and not signal.pause(), which would not see a signal that came just before
    except KeyboardInterrupt:
        click.echo("stopped")


@commands.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
def guest(words: tuple[str, ...]) -> None:
    """Start a guest, with Debian's own kernel, and run COMMAND there, or the lines that you type.

    It has systemd, Docker, the kernel's NFS server and this checkout, but no network card, and goes when you leave.
    """
    with start_guest(tell=lambda line: click.echo(line, err=True)) as machine:
        machine.install()
        if words:
            click.echo(machine.exec(*words), nl=False)
            return
        for line in sys.stdin:
            click.echo(machine.exec("sh", "-c", f"exec 2>&1; {line}", check=False), nl=False)


@commands.command()
def clean() -> None:
    """Remove what labs left whose processes were killed; those that run are left alone."""
    for name, outcome in sweep().items():
        click.echo(f"{name}: {outcome}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
