"""How a demonstration is told: steps, the commands as a user types them, and whether each result is the right one."""

from __future__ import annotations

import shlex

import click

from lab.host import Host


class Story:
    """Prints each step and its result in plain words; remembers whether one failed."""

    def __init__(self) -> None:
        self.failed = 0
        self.several = False  # whether it plays on several hosts
        self._number = 0

    def step(self, what: str) -> None:
        """Say what comes now."""
        self._number += 1
        click.secho(f"\n{self._number}. {what}", bold=True)

    def command(self, host: Host, *argv: str) -> str:
        """Run a `docker` command, and show it as the user would type it."""
        click.secho(f"   {self.prompt(host)}$ docker {shlex.join(argv)}", fg="cyan")
        return host.docker(*argv)

    def moorage(self, host: Host, *argv: str) -> str:
        """Run a `moorage` command, and show it as the operator would type it."""
        click.secho(f"   {self.prompt(host)}$ moorage {shlex.join(argv)}", fg="cyan")
        return host.moorage(*argv)

    def prompt(self, host: Host) -> str:
        """Return what stands before the `$`: the host, once there are several in the story."""
        return f"{host.name} " if self.several else ""

    def result(self, text: str, *, good: bool) -> None:
        """Say how it ended."""
        self.failed += not good
        click.echo(f"   {click.style('ok  ', fg='green') if good else click.style('FAIL', fg='red')} {text}")
