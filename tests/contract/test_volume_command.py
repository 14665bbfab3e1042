"""`moorage volume` against a real database: what it lists, and what it refuses; no daemon runs."""

import contextlib
import dataclasses
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from records.model import (
    Backend,
    BackendId,
    Host,
    HostId,
    Tenant,
    TenantId,
    Volume,
    VolumeId,
    VolumeState,
)
from records.ovsdb import OvsdbStore
from records.writes import Insert
from tests.database import Database

pytestmark = pytest.mark.usefixtures("logs_as_they_were")

HOST = Host(id=HostId(uuid.uuid4()), name="a")
TENANT = Tenant(id=TenantId(uuid.uuid4()), name="default")
DISK = Backend(id=BackendId(uuid.uuid4()), name="disk", kind="local", source="/srv")
DATA = Volume(
    id=VolumeId(uuid.uuid4()),
    name="db",
    tenant=TENANT.id,
    backend=DISK.id,
    path="default/db-1",
    host=HOST.id,
    steward=HOST.id,
    state=VolumeState.READY,
)
GONE = dataclasses.replace(
    DATA, id=VolumeId(uuid.uuid4()), name="old", path="default/old-1", state=VolumeState.TRASHED, removed=5000
)


@dataclasses.dataclass(frozen=True)
class Site:
    """Records with a volume, and one in the trash."""

    database: Database
    config: Path

    def volume(self, *arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, ["volume", *arguments, "--config", str(self.config)], input=typed)

    def names(self, *options: str) -> list[str]:
        return [one["name"] for one in json.loads(self.volume("ls", "--json", *options).stdout)]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr("cli.volumes.wait.IDLE", 1.5)
    with Database(tmp_path) as database:
        config = tmp_path / "moorage.toml"
        config.write_text(
            f'[host]\nname = "a"\n[records]\nremote = "{database.remote}"\n[volplugin]\nadmin = "{tmp_path}/v.sock"\n'
        )
        with contextlib.closing(OvsdbStore(database.remote)) as store:
            store.ready(5.0)
            store.commit([Insert(record) for record in (HOST, TENANT, DISK, DATA, GONE)])
        yield Site(database, config)


def test_volumes_are_listed_and_those_in_the_trash_apart(site: Site) -> None:
    assert (["db"], ["old"]) == (site.names(), site.names("--trash"))
    assert ["NAME", "db"] == [line.split()[0] for line in site.volume("ls").stdout.splitlines()]
    assert "TIME LEFT" in site.volume("ls", "--trash").stdout


def test_a_volume_is_shown_also_when_it_was_removed(site: Site) -> None:
    assert "backend:   disk (local), of host a alone\n" in site.volume("show", "db").stdout
    assert str(GONE.id) == json.loads(site.volume("show", "old", "--json").stdout)["id"]


def test_a_volume_is_renamed_at_once(site: Site) -> None:
    assert "volume db is called web now" in site.volume("rename", "db", "web").stdout
    assert ["web"] == site.names()


def test_a_volume_is_removed_as_docker_does(site: Site) -> None:
    said = site.volume("rm", "db").stdout

    assert "volume db is removed; `moorage volume restore` brings it back\n" == said
    assert ([], ["db", "old"]) == (site.names(), site.names("--trash"))


def test_deleting_asks_first_and_does_nothing_without_a_yes(site: Site) -> None:
    result = site.volume("rm", "--now", "db", typed="n\n")

    assert 1 == result.exit_code
    assert "delete all data of db? It cannot be restored" in result.output
    assert ["db"] == site.names()


def test_what_no_daemon_does_is_told_so_and_stays_to_be_done(site: Site) -> None:
    result = site.volume("rm", "--now", "--yes", "db")

    assert 1 == result.exit_code
    assert "volume db is still deleting; moorage-volplugin of host a is to do it and goes on trying" in result.stderr
    assert ["deleting", "trashed"] == [
        one["state"] for one in json.loads(site.volume("ls", "--trash", "--json").stdout)
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("show", "web"), "volume web does not exist"),
        (("restore", "web"), "removed volume web does not exist"),
        (("rm", "web"), "volume web does not exist"),
        (("rm", "--now", "--yes", "web"), "removed volume web does not exist"),
        (("rename", "db", "a"), "a volume cannot be called 'a'"),
        (("resize", "db", "ten"), "size=ten is not a size"),
        (("resize", "db", "10G"), "was made without a size"),
        (("import", "new", "--backend", "disk", "--path", "../x"), "is not written plainly"),
        (("import", "new", "--backend", "tape", "--path", "x"), "there is no backend tape; there are: disk"),
        (("import", "new", "--backend", "disk", "--path", "x", "-o", "size=1G"), "leave size out"),
    ],
)
def test_what_cannot_be_done_is_exit_code_1_with_the_reason(site: Site, arguments: tuple[str, ...], error: str) -> None:
    result = site.volume(*arguments)

    assert 1 == result.exit_code
    assert error in result.stderr
    assert "Traceback" not in result.output


def test_without_records_the_exit_code_is_3(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.store.RECORDS_WITHIN", 0.2)
    site.database.stop()

    for command in (("ls",), ("show", "db"), ("rm", "db"), ("restore", "old"), ("resize", "db", "10G")):
        result = site.volume(*command)
        assert (command, 3) == (command, result.exit_code)
        assert "records unavailable" in result.stderr
