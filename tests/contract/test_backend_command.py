"""`moorage backend` against a real database and real worker processes."""

import contextlib
import dataclasses
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from records.model import Host, HostId, Tenant, TenantId, Volume, VolumeId
from records.ovsdb import OvsdbStore
from records.writes import Insert
from tests.database import Database

pytestmark = pytest.mark.usefixtures("logs_as_they_were")


@dataclasses.dataclass(frozen=True)
class Site:
    """Records, and a directory for disks."""

    directory: Path
    database: Database
    config: Path

    def backend(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["backend", *arguments, "--config", str(self.config)])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Database(tmp_path) as database:
        config = tmp_path / "moorage.toml"
        config.write_text(
            f'[host]\nname = "a"\n[records]\nremote = "{database.remote}"\n[volplugin]\nadmin = "{tmp_path}/v.sock"\n'
        )
        yield Site(tmp_path, database, config)


def added(site: Site, name: str = "disk") -> None:
    (site.directory / name).mkdir(exist_ok=True)
    made = site.backend("add", name, "--kind", "local", "--source", str(site.directory / name))
    assert 0 == made.exit_code, made.output


def with_volume(site: Site, name: str, removed: int = 0) -> None:
    with contextlib.closing(OvsdbStore(site.database.remote)) as store:
        store.ready(5.0)
        backend = store.snapshot().backends.one(name="disk")
        assert backend is not None
        host, tenant = Host(id=HostId(uuid.uuid4()), name="a"), Tenant(id=TenantId(uuid.uuid4()), name="default")
        volume = Volume(
            id=VolumeId(uuid.uuid4()),
            name=name,
            removed=removed,
            tenant=tenant.id,
            backend=backend.id,
            path=name,
            host=host.id,
            steward=host.id,
        )
        store.commit([Insert(host), Insert(tenant), Insert(volume)])


def test_backends_are_listed_and_shown_as_they_were_defined(site: Site) -> None:
    assert "no backends; `moorage backend add` defines one\n" == site.backend("ls").stdout
    added(site)

    (one,) = json.loads(site.backend("ls", "--json").stdout)
    assert ("disk", "local", f"{site.directory}/disk", []) == tuple(
        one[key] for key in ("name", "kind", "source", "volumes")
    )
    assert ("unknown", "volplugin: not running") == (one["health"], one["problem"])
    assert f"source:    {site.directory}/disk\n" in site.backend("show", "disk").stdout
    assert one == json.loads(site.backend("show", "disk", "--json").stdout)


def test_a_backend_is_defined_once(site: Site) -> None:
    added(site)
    again = site.backend("add", "disk", "--kind", "local", "--source", "/srv")

    assert (1, f"Error: backend disk exists: local {site.directory}/disk\n") == (again.exit_code, again.stderr)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("no/name", "--kind", "local", "--source", "/srv"), "'no/name' is not a name"),
        (("disk", "--kind", "floppy", "--source", "/srv"), "there is no kind of backend called 'floppy'; there are:"),
        (("disk", "--kind", "local", "--source", "srv"), "the source of a local backend is an absolute path"),
        (("disk", "--kind", "local", "--source", "/srv", "-o", "colour=red"), "has no option 'colour'; there are:"),
        (("disk", "--kind", "local", "--source", "/srv", "-o", "=x"), "-o =x is not KEY=VALUE"),
    ],
)
def test_a_definition_that_cannot_be_is_wrong_usage(site: Site, arguments: tuple[str, ...], error: str) -> None:
    result = site.backend("add", *arguments)

    assert 2 == result.exit_code
    assert error in result.stderr
    assert [] == json.loads(site.backend("ls", "--json").stdout)


def test_help_lists_the_kinds_there_are_and_their_options() -> None:
    told = CliRunner().invoke(main, ["backend", "add", "--help"]).stdout

    for word in ("Kind local:", "-o mount-point", "Exit codes:"):
        assert word in told


def test_a_backend_is_forgotten_and_its_data_stays(site: Site) -> None:
    added(site)

    assert "backend disk is forgotten; what is on it stays\n" == site.backend("rm", "disk").stdout
    assert (site.directory / "disk").is_dir()
    assert [] == json.loads(site.backend("ls", "--json").stdout)


@pytest.mark.parametrize(("removed", "said"), [(0, "1 volume on it: db; "), (7, "1 volume in its trash: db; ")])
def test_a_backend_that_has_volumes_is_not_forgotten(site: Site, removed: int, said: str) -> None:
    added(site)
    with_volume(site, "db", removed)
    result = site.backend("rm", "disk")

    assert 1 == result.exit_code
    assert f"Error: backend disk has {said}" in result.stderr


@pytest.mark.parametrize("command", ["show", "rm", "test"])
def test_a_backend_that_is_not_there_is_told_so(site: Site, command: str) -> None:
    result = site.backend(command, "tape")

    assert (1, "Error: there is no backend tape; `moorage backend ls` lists them\n") == (
        result.exit_code,
        result.stderr,
    )


def test_without_records_the_exit_code_is_3(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.store.RECORDS_WITHIN", 0.2)
    site.database.stop()

    for command in (("ls",), ("show", "disk"), ("rm", "disk"), ("test", "disk")):
        result = site.backend(*command)
        assert 3 == result.exit_code
        assert "records unavailable" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("--kind", "local"), ("disk", "--source", "/srv")])
def test_what_is_to_be_tried_is_a_name_or_a_whole_definition(site: Site, arguments: tuple[str, ...]) -> None:
    result = site.backend("test", *arguments)

    assert 2 == result.exit_code
    assert "say either the NAME of a backend, or --kind and --source" in result.stderr


def test_a_backend_that_cannot_be_says_why_and_what_to_do_before_it_is_defined(site: Site) -> None:
    none = site.directory / "none"
    result = site.backend("test", "--kind", "local", "--source", str(none))

    assert (1, f"FAIL  directory: {none} does not exist\n      what to do: make it: mkdir -p {none}\n") == (
        result.exit_code,
        result.stdout,
    )
