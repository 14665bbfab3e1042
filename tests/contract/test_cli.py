"""`moorage` against a real database and real admin sockets."""

import contextlib
import dataclasses
import ipaddress
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from daemonkit.admin import AdminServer
from daemonkit.metrics import Metrics
from records.members import Member, members
from records.model import Host, Protocol, Published, PublishedId
from records.ovsdb import OvsdbStore
from records.writes import Delete, Insert, Update
from tests.database import Database
from tests.examples import everything, world

pytestmark = pytest.mark.usefixtures("logs_as_they_were")


class Site:
    """A host's configuration, database and daemons in one directory."""

    def __init__(self, directory: Path, database: Database) -> None:
        self.directory, self.database = directory, database
        self.config = directory / "moorage.toml"
        self.config.write_text(
            f'[host]\nname = "a"\n[records]\nremote = "{database.remote}"\n'
            f'[netplugin]\nadmin = "{directory}/n.sock"\n[controller]\nadmin = "{directory}/c.sock"\n'
            f'[volplugin]\nadmin = "{directory}/v.sock"\n'
        )

    def moorage(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["status", *arguments, "--config", str(self.config)])

    @contextlib.contextmanager
    def daemons(self) -> Iterator[None]:
        servers = [
            AdminServer(f"{self.directory}/{name}.sock", lambda: {"in_sync": True, "failures": []}, Metrics(name, "1"))
            for name in ("n", "v", "c")
        ]
        for server in servers:
            server.start()
        yield
        for server in servers:
            server.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Database(tmp_path) as database:
        yield Site(tmp_path, database)


def fill(site: Site, *, up: bool) -> None:
    records = everything(world())
    with contextlib.closing(OvsdbStore(site.database.remote)) as store:
        store.commit([Insert(record) for record in records])
        (endpoint,) = store.snapshot().endpoints
        if up:
            store.commit([Update(endpoint, dataclasses.replace(endpoint, up=True))])


def test_all_is_well_is_exit_code_0(site: Site) -> None:
    fill(site, up=True)
    with site.daemons():
        result = site.moorage()

    assert result.exit_code == 0, result.output
    assert "web" in result.output


def test_json_is_json_and_nothing_else(site: Site) -> None:
    fill(site, up=True)
    result = site.moorage("--json")

    found = json.loads(result.stdout)
    assert result.exit_code == found["exit_code"] == 1
    assert ["a"] == [host["name"] for host in found["hosts"]]
    assert {"unix:" + str(site.database.socket)} == {member["remote"] for member in found["database"]["members"]}
    assert [(name, "not running") for name in ("netplugin", "volplugin", "controller")] == [
        (daemon["name"], daemon["problem"]) for daemon in found["daemons"]
    ]


def test_an_endpoint_that_is_down_is_exit_code_1_with_the_reason(site: Site) -> None:
    fill(site, up=False)
    with site.daemons():
        result = site.moorage()

    assert result.exit_code == 1
    assert "its flows are not confirmed by the controller" in result.output


def test_a_database_that_is_away_is_exit_code_3_and_the_daemons_are_shown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.main.RECORDS_WITHIN", 0.2)
    site.database.stop()
    with site.daemons():
        result = site.moorage()

    assert result.exit_code == 3
    assert "records unavailable" in result.output
    assert "netplugin" in result.output


@pytest.mark.parametrize(
    ("text", "error"),
    [("[netplugin]\njion = 1\n", "did you mean 'join'?"), ("[", "not TOML"), (None, "no such file")],
)
def test_a_wrong_configuration_is_exit_code_2_with_file_and_line(tmp_path: Path, text: str | None, error: str) -> None:
    path = tmp_path / "m.toml"
    if text is not None:
        path.write_text(text)
    result = CliRunner().invoke(main, ["status", "--config", str(path)])

    assert result.exit_code == 2
    assert f"{path}:" in result.output
    assert error in result.output


def test_a_trace_says_what_it_cannot_ask(site: Site) -> None:
    site.config.write_text(f'{site.config.read_text()}[openvswitch]\nrundir = "{site.directory}"\n')
    result = CliRunner().invoke(main, ["trace", "a", "b", "--config", str(site.config)])

    assert result.exit_code == 2
    assert "ovs-vswitchd has no control socket" in result.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["a", "b", "--port", "0"], "0 is not in the range"),
        (["a", "b", "--proto", "gre"], "'gre' is not one of"),
        (["a", "b", "--proto", "sctp"], "sctp needs a port"),
        (["a"], "Missing argument 'DST'"),
    ],
)
def test_a_trace_that_makes_no_sense_is_wrong_usage(arguments: list[str], error: str) -> None:
    result = CliRunner().invoke(main, ["trace", *arguments])

    assert result.exit_code == 2
    assert error in result.output


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["status", "--help"], ["trace", "--help"]])
def test_help_and_version_need_nothing(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 0


def test_a_member_says_that_it_leads(site: Site) -> None:
    assert (Member(site.database.remote, leader=True, problem=None),) == members(site.database.remote, 2)


def test_a_member_that_hangs_is_waited_for_no_longer_than_told(site: Site) -> None:
    site.database.pause()
    try:
        (member,) = members(site.database.remote, 0.2)
    finally:
        site.database.resume()

    assert (False, "no answer in time") == (member.leader, member.problem)


def test_members_that_are_not_there_or_wrongly_written_are_told_so() -> None:
    one, two = members("unix:/nowhere/db.sock,carrier:pigeon", 1)

    assert "No such file" in str(one.problem)
    assert "written unix:PATH or tcp:HOST:PORT" in str(two.problem)


def test_a_server_of_another_database_is_no_member(tmp_path: Path) -> None:
    other = {"name": "Other", "version": "1.0.0", "tables": {Host.TABLE: {"columns": {"x": {"type": "string"}}}}}
    database = Database(tmp_path)
    database.start(other)
    try:
        (member,) = members(database.remote, 2)
    finally:
        database.kill()

    assert member.problem == "it serves no database Moorage"


class FakeDocker:
    """Docker's API as far as it lists containers."""

    def __init__(self, path: Path, containers: object) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._body = json.dumps(containers).encode()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                with client:
                    client.recv(4096)
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self._body)}\r\n\r\n".encode()
                    client.sendall(head + self._body)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def publishing(site: Site) -> Iterator[Site]:
    """A site with a container `web` whose port 80 is published, and its Docker."""
    fill(site, up=True)
    site.config.write_text(
        site.config.read_text().replace("[netplugin]\n", f'[netplugin]\ndocker = "unix://{site.directory}/d.sock"\n')
    )
    with contextlib.closing(OvsdbStore(site.database.remote)) as store:
        store.ready(5.0)
        (endpoint,) = store.snapshot().endpoints
        host = store.snapshot().hosts.get(endpoint.host)
        assert host is not None
        site.config.write_text(site.config.read_text().replace('name = "a"', f'name = "{host.name}"'))
        rows = list(store.snapshot().published)
        row = Published(
            id=PublishedId(uuid.uuid4()),
            endpoint=endpoint.id,
            host=endpoint.host,
            protocol=Protocol.TCP,
            host_ip=ipaddress.ip_address("0.0.0.0"),
            host_port=18080,
            port=80,
        )
        store.commit([*(Delete(old) for old in rows), Insert(row)])
    on = {"Networks": {"shop": {"EndpointID": endpoint.docker_id}}}
    docker = FakeDocker(site.directory / "d.sock", [{"Id": "ab" * 32, "Names": ["/web"], "NetworkSettings": on}])
    yield site
    docker.close()


def port(site: Site, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["port", *arguments, "--config", str(site.config)])


def test_port_prints_what_docker_port_would(publishing: Site) -> None:
    assert (0, "80/tcp -> 0.0.0.0:18080\n") == told(port(publishing, "web"))
    assert (0, "0.0.0.0:18080\n") == told(port(publishing, "web", "80/tcp"))
    assert (0, "web 80/tcp -> 0.0.0.0:18080\n") == told(port(publishing))
    (one,) = json.loads(port(publishing, "--json").stdout)
    assert ("web", 80, "tcp", "0.0.0.0", 18080) == tuple(
        one[key] for key in ("container", "port", "protocol", "host_ip", "host_port")
    )


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("web", "81"), 1, "port 81/tcp of web is not published"),
        (("other",), 1, "no such container: other"),
        (("web", "http"), 2, "'http' is no port"),
    ],
)
def test_port_says_what_is_not_there(publishing: Site, arguments: tuple[str, ...], code: int, text: str) -> None:
    result = port(publishing, *arguments)

    assert code == result.exit_code
    assert text in result.stderr


def test_port_without_docker_knows_addresses_only_and_without_records_nothing(publishing: Site) -> None:
    (publishing.directory / "d.sock").unlink()
    (address,) = {one["address"] for one in json.loads(port(publishing, "--json").stdout)}

    assert (0, f"{address} 80/tcp -> 0.0.0.0:18080\n") == told(port(publishing))
    assert 3 == port(publishing, "web").exit_code
    assert "Docker does not say which container is web" in port(publishing, "web").stderr

    publishing.config.write_text(publishing.config.read_text().replace(publishing.database.remote, "unix:/nowhere"))
    assert 3 == port(publishing).exit_code


def told(result: Result) -> tuple[int, str]:
    return result.exit_code, result.stdout
