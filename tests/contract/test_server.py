"""moorage-db as a process, with the real ovsdb-server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from records import schema
from records.ovsdb import OvsdbStore
from tests.database import Database
from tests.examples import world

START = [sys.executable, "-c", "from records.server import main; main()", "--config"]


class Server:
    """moorage-db with its files in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "lib" / "moorage.db"
        self.socket = directory / "run" / "db.sock"
        self.config = directory / "moorage.toml"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.config.write_text(
            "[records]\n"
            f'directory = "{directory}/lib"\nremote = "unix:{self.socket}"\nraft = "unix:{directory}/run/raft.sock"\n'
        )

    def start(self) -> subprocess.Popen[bytes]:
        with (self.directory / "log").open("ab") as log:
            process = subprocess.Popen([*START, str(self.config)], stderr=log)
        self.processes.append(process)
        return process

    def refusal(self) -> str:
        done = subprocess.run([*START, str(self.config)], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 1
        return done.stderr

    def make(self, served: dict[str, Any]) -> None:
        """Make the database as another release would have."""
        self.file.parent.mkdir()
        made = self.directory / "other.ovsschema"
        made.write_text(json.dumps(served))
        subprocess.run(
            ["ovsdb-tool", "create-cluster", self.file, made, f"unix:{self.directory}/run/raft.sock"], check=True
        )

    @contextlib.contextmanager
    def store(self) -> Iterator[OvsdbStore]:
        with contextlib.closing(OvsdbStore(f"unix:{self.socket}")) as store:
            assert store.ready(10), store.problem()
            yield store


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    for process in server.processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_the_first_start_makes_a_database_that_the_daemons_can_use(server: Server) -> None:
    server.start()

    with server.store() as store:
        assert 1 == len(store.commit(world().inserts).hosts)


def test_only_its_user_may_connect(server: Server) -> None:
    server.start()

    with server.store():
        assert 0o600 == stat.S_IMODE(server.socket.stat().st_mode)
        assert 0o700 == stat.S_IMODE(server.file.parent.stat().st_mode)
        assert 0o600 == stat.S_IMODE(server.file.stat().st_mode)


def test_the_process_is_the_server_itself(server: Server) -> None:
    process = server.start()

    with server.store():
        assert "ovsdb-server\n" == Path(f"/proc/{process.pid}/comm").read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_after_its_end_it_starts_again_with_all_records(server: Server, how: signal.Signals) -> None:
    first = server.start()
    with server.store() as store:
        store.commit(world().inserts)
    first.send_signal(how)
    first.wait()

    server.start()

    with server.store() as store:
        assert 1 == len(store.snapshot().hosts)


def test_a_database_left_half_made_is_made_anew(server: Server) -> None:
    server.file.parent.mkdir()
    server.file.with_suffix(".making").write_bytes(b"OVSDB CLUSTER 12")
    server.file.with_suffix(".plain").write_bytes(b"OVSDB")

    server.start()

    with server.store() as store:
        assert 0 == len(store.snapshot().hosts)


def test_a_second_one_does_not_disturb_the_first(server: Server) -> None:
    server.start()
    with server.store() as store:
        second = server.start()
        assert 0 != second.wait(10)

        assert 1 == len(store.commit(world().inserts).hosts)
    with server.store() as store:  # a new connection reaches the first
        assert 1 == len(store.snapshot().hosts)


def test_an_older_schema_is_upgraded_and_keeps_its_records(server: Server) -> None:
    old = schema.schema()
    old["version"] = "0.9.0"
    del old["tables"]["Endpoint"]["columns"]["problem"]
    server.make(old)
    with Database(server.directory / "lib") as before:
        subprocess.run(
            [
                "ovsdb-client",
                "transact",
                before.remote,
                json.dumps(["Moorage", {"op": "insert", "table": "Tenant", "row": {"name": "t"}}]),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    server.start()

    with server.store() as store:
        assert ["t"] == [tenant.name for tenant in store.snapshot().tenants]
    assert "0.9.0" not in _version(server)


def test_a_newer_minor_schema_is_served_as_it_is(server: Server) -> None:
    new = schema.schema()
    new["version"] = "1.99.0"
    new["tables"]["Host"]["columns"]["colour"] = {"type": "string"}
    server.make(new)

    server.start()

    with server.store() as store:
        store.commit(world().inserts)
    assert "1.99.0" == _version(server)


def test_a_newer_major_schema_is_refused(server: Server) -> None:
    server.make({**schema.schema(), "version": "2.0.0"})

    told = f"has schema 2.0.0, and this moorage-db knows {schema.VERSION}: install a newer Moorage here"
    assert told in server.refusal()


def test_another_database_in_our_place_is_refused(server: Server) -> None:
    server.make({**schema.schema(), "name": "Other"})

    assert "holds the database Other, not Moorage" in server.refusal()


def test_an_address_of_no_host_is_refused(server: Server) -> None:
    server.config.write_text('[records]\nremote = "tcp:192.0.2.1:6641"\nraft = "tcp:192.0.2.2:6643"\n')

    assert "records.remote = 'tcp:192.0.2.1:6641' names no address of this host" in server.refusal()


def test_a_directory_that_cannot_be_made_is_named(server: Server) -> None:
    (server.directory / "lib").write_text("")

    assert f"{server.directory}/lib: File exists" in server.refusal()


def test_a_host_without_open_vswitch_is_told_what_to_install(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(server.directory))

    assert "ovsdb-tool is not installed: it comes with the package openvswitch-common" in server.refusal()


def _version(server: Server) -> str:
    until = time.monotonic() + 10
    while True:
        version = subprocess.run(
            ["ovsdb-client", "--timeout=5", "get-schema-version", f"unix:{server.socket}", "Moorage"],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ},
        ).stdout.strip()
        if version != "0.9.0" or time.monotonic() > until:
            return version
