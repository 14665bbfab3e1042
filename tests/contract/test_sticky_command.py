"""`moorage sticky` against a real database."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from records.model import Address
from records.ovsdb import OvsdbStore
from records.writes import Insert
from tests.database import Database
from tests.examples import World, world

pytestmark = pytest.mark.usefixtures("logs_as_they_were")


@pytest.fixture
def config(tmp_path: Path, database: Database) -> Path:
    """A host whose Docker does not answer."""
    file = tmp_path / "moorage.toml"
    file.write_text(
        f'[host]\nname = "a"\n[records]\nremote = "{database.remote}"\n'
        f'[netplugin]\ndocker = "unix://{tmp_path}/docker.sock"\n'
    )
    return file


def moorage(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["sticky", *arguments, "--config", str(config)])


def kept(of: World, ip: str, name: str | None, *, free: bool) -> Address:
    return dataclasses.replace(of.address(ip), sticky=name, mac="02:42:0a:01:00:09", free=free)


@pytest.fixture
def w(ovsdb: OvsdbStore) -> World:
    """A network with an address that is kept, one that is carried, and one that is just taken."""
    made = world()
    rows = [kept(made, "10.1.0.9", "zoo1", free=True), kept(made, "10.1.0.10", "zoo2", free=False)]
    ovsdb.commit([*made.inserts, *(Insert(row) for row in [*rows, made.address("10.1.0.11")])])
    return made


def addresses(database: Database) -> dict[str, str | None]:
    """Return for whom each address is kept."""
    with contextlib.closing(OvsdbStore(database.remote)) as store:
        assert store.ready(5)
        return {str(a.ip): a.sticky for a in store.snapshot().addresses}


def test_what_is_kept_is_listed(config: Path, w: World) -> None:
    result = moorage(config)

    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.output.splitlines()] == [
        ["NETWORK", "NAME", "ADDRESS", "MAC"],
        ["web", "zoo1", "10.1.0.9", "02:42:0a:01:00:09", "free"],
        ["web", "zoo2", "10.1.0.10", "02:42:0a:01:00:09", "carried"],
    ]


def test_programs_get_json(config: Path, w: World) -> None:
    (first, _) = json.loads(moorage(config, "--json").output)

    assert first == {
        "network": "web",
        "name": "zoo1",
        "address": "10.1.0.9",
        "mac": "02:42:0a:01:00:09",
        "carried": False,
    }


@pytest.mark.parametrize("called", ["web", "docker id"])
def test_what_is_free_is_gone_once_it_is_given_up(config: Path, database: Database, w: World, called: str) -> None:
    network = w.docker_network.docker_id[:12] if called == "docker id" else called

    result = moorage(config, "rm", network, "Zoo1")

    assert (result.exit_code, result.output) == (0, "10.1.0.9 is no longer kept for Zoo1\n")
    assert addresses(database) == {"10.1.0.10": "zoo2", "10.1.0.11": None}


def test_a_container_keeps_the_address_that_was_given_up_under_it(config: Path, database: Database, w: World) -> None:
    assert moorage(config, "rm", "web", "zoo2").exit_code == 0

    assert addresses(database) == {"10.1.0.9": "zoo1", "10.1.0.10": None, "10.1.0.11": None}


@pytest.mark.parametrize(("network", "name"), [("web", "nobody"), ("db", "zoo1")])
def test_what_is_not_kept_cannot_be_given_up(config: Path, w: World, network: str, name: str) -> None:
    result = moorage(config, "rm", network, name)

    assert result.exit_code == 1
    assert f"nothing is kept for {name} on network {network}" in result.output


def test_without_records_it_says_so(
    config: Path, database: Database, w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.store.RECORDS_WITHIN", 0.2)
    config.write_text(f'[records]\nremote = "{database.remote}x"\n')

    assert moorage(config).exit_code == 3
    assert "records unavailable" in moorage(config).output
