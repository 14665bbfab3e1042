"""How a plugin daemon begins: its configuration, its logs, its parts, and Docker's calls until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from daemonkit import log as logs
from daemonkit.config import Config, ConfigError, load
from daemonkit.serve import serve
from daemonkit.version import version

if TYPE_CHECKING:
    from flask import Flask

    from daemonkit.metrics import Metrics


class Agent(Protocol):
    """The parts of a daemon, made in the worker process."""

    @property
    def metrics(self) -> Metrics:
        """Its figures."""

    def start(self) -> None:
        """Start its threads, and wait for none."""

    def stop(self) -> None:
        """End its threads."""

    def app(self) -> Flask:
        """Return what Docker talks to."""


class Served(Protocol):
    """The options of a section that say where and how a plugin is served."""

    @property
    def socket(self) -> str:
        """Path of the plugin's socket."""

    @property
    def threads(self) -> int:
        """Calls that are served at once."""


def run(name: str, make: Callable[[Config], Agent], section: Callable[[Config], Served]) -> None:
    """Run the daemon `name` until it is told to stop; `--config FILE` on its command line says which file it reads.

    Raises:
        SystemExit: at the end; the status is not 0 where the configuration is wrong or the socket taken.

    """
    arguments = argparse.ArgumentParser(prog=name, description="A daemon of Moorage; it ends at SIGTERM.")
    arguments.add_argument("--config", type=Path, metavar="FILE", help="configuration; /etc/moorage/moorage.toml")
    arguments.add_argument("--version", action="version", version=f"{name} {version()}")
    try:
        config = load(arguments.parse_args().config)
    except ConfigError as error:
        sys.exit(f"{name}: {error}")
    logs.configure(config.log.level, config.log.format, name)
    running: list[Agent] = []

    def made() -> Flask:
        agent = make(config)
        running.append(agent)
        agent.start()
        return agent.app()

    served = section(config)
    serve(
        made,
        served.socket,
        served.threads,
        on_ready=lambda: running[0].metrics.ready(),  # noqa: PLW0108  # made later
        on_exit=lambda: running[0].stop(),  # noqa: PLW0108
    )
