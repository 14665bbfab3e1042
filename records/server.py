"""moorage-db: makes this host's member of the database where there is none, and becomes its `ovsdb-server`.

Every step may be repeated: a start that was killed in the middle leaves nothing that hinders the next.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import click
import structlog

from daemonkit import log as logs
from daemonkit.config import Config, ConfigError, load
from records import schema

NAME = "moorage-db"
FILE = "moorage.db"  # in the configured directory
ONLY_OWNER = 0o177  # umask: sockets and files for root alone
UPGRADE_WITHIN = 60  # seconds for the server to lead, and again for the conversion

log = structlog.get_logger()


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Configuration; /etc/moorage/moorage.toml.")
def main(path: Path | None) -> None:
    """Serve the records from this host."""
    try:
        config = load(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    logs.configure(config.log.level, config.log.format, NAME)
    try:
        serve(config)
    except Refused as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'moorage-db'}: {error.strerror}") from error


class Refused(Exception):
    """The database cannot be served; the text says why and what to do."""


def serve(config: Config) -> None:
    """Prepare and become the server; returns only by an error."""
    directory = Path(config.records.directory)
    command = server_command(config, directory / FILE)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for remote in [*config.records.remote.split(","), config.records.raft]:
        if remote.startswith("unix:"):
            Path(remote.removeprefix("unix:")).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    os.umask(ONLY_OWNER)
    create(directory / FILE, config.records.raft)
    if older(directory / FILE):
        _in_background(config.records.remote)
    os.execvp(command[0], command)  # noqa: S606  # this process becomes the server


def server_command(config: Config, file: Path) -> list[str]:
    """Return the server's arguments: it listens where the daemons look for this host's member.

    Raises:
        Refused: none of the addresses can be this host's.

    """
    host = config.records.raft.partition(":")[2].rpartition(":")[0]  # empty for a unix: address
    listen, rundir = [], file.parent
    for remote in config.records.remote.split(","):
        kind, _, rest = remote.partition(":")
        if kind == "unix":
            listen.append(f"--remote=punix:{rest}")
            rundir = Path(rest).parent
        elif kind == "tcp" and rest.rpartition(":")[0] == host:
            listen.append(f"--remote=ptcp:{rest.rpartition(':')[2]}:{host}")
    if not listen:
        raise Refused(
            f"records.remote = '{config.records.remote}' names no address of this host: give a unix: address, "
            f"or tcp: with the host of records.raft = '{config.records.raft}'"
        )
    levels = ["-vconsole:info", "-vsyslog:off", "-vfile:off"]
    return ["ovsdb-server", *listen, f"--unixctl={rundir}/db.ctl", *levels, str(file)]


def create(file: Path, raft: str) -> None:
    """Make a cluster of one member where there is no database yet.

    Raises:
        Refused: `ovsdb-tool` could not.

    """
    if file.exists():
        return
    making = file.with_suffix(".making")  # of a start that was killed, if it is there
    making.unlink(missing_ok=True)
    _tool("create-cluster", str(making), str(schema.FILE), raft)
    making.rename(file)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(directory)
    os.close(directory)
    log.info("database created", file=str(file), raft=raft)


def older(file: Path) -> bool:
    """Return whether the database's schema is older than ours.

    Raises:
        Refused: it is not ours, or of a newer major version.

    """
    name = _tool("db-name", str(file))
    if name != schema.NAME:
        raise Refused(f"{file} holds the database {name}, not {schema.NAME}: move it away or set records.directory")
    plain = file.with_suffix(".plain")  # versions can be asked of standalone files only
    plain.unlink(missing_ok=True)
    _tool("cluster-to-standalone", str(plain), str(file))
    found = _tool("db-version", str(plain))
    plain.unlink()
    if _numbers(found)[0] > _numbers(schema.VERSION)[0]:
        raise Refused(
            f"{file} has schema {found}, and this {NAME} knows {schema.VERSION}: install a newer Moorage here"
        )
    return _numbers(found) < _numbers(schema.VERSION)


def upgrade(remote: str) -> None:
    """Convert the running database to our schema, unless another member has done it."""
    try:
        _client("wait", remote, schema.NAME, "connected")
        found = _client("get-schema-version", remote, schema.NAME)
        if _numbers(found) < _numbers(schema.VERSION):
            _client("convert", remote, str(schema.FILE))
            log.info("schema upgraded", old=found, new=schema.VERSION)
    except Refused as error:
        log.error("schema not upgraded", reason=str(error))  # noqa: TRY400  # the text is the tool's


def _in_background(remote: str) -> None:
    """Upgrade in a process that is nobody's child: the server it waits for would not collect it."""
    if (child := os.fork()) == 0:
        if os.fork() == 0:
            upgrade(remote)
        os._exit(0)
    os.waitpid(child, 0)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _tool(*arguments: str) -> str:
    return _run(["ovsdb-tool", "-vsyslog:off", *arguments])


def _client(*arguments: str) -> str:
    return _run(["ovsdb-client", "-vsyslog:off", f"--timeout={UPGRADE_WITHIN}", *arguments])


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise Refused(f"{command[0]} is not installed: it comes with the package openvswitch-common") from error
    except subprocess.CalledProcessError as error:
        raise Refused(f"{command[0]} {command[2]} failed: {error.stderr.strip()}") from error
    return done.stdout.strip()


if __name__ == "__main__":
    main()
