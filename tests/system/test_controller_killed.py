"""The daemon itself, on a real database and a real switch, killed with -9 wherever it stands."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.agent import NAME
from controller.planner import FlowPlanner
from daemonkit.admin import NotRunningError, fetch_status
from records.ovsdb import OvsdbStore
from records.writes import Insert
from tests import host
from tests.controlled import is_up
from tests.database import Database
from tests.host import ENDPOINTS, WEB
from tests.switch import BRIDGE, TIED, Switch, eventually, switch

pytestmark = pytest.mark.system


@dataclasses.dataclass
class Daemon:
    """`moorage-controller` as a process."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-c", "from controller.agent import main; main()", "--config", "c.toml"]
        environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*TIED, *command], cwd=self.directory, env=environment, stdout=log, stderr=log
            )

    def status(self) -> dict[str, object]:
        with contextlib.suppress(NotRunningError):
            return fetch_status(str(self.directory / "admin.sock"))
        return {}

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@dataclasses.dataclass
class World:
    switch: Switch
    store: OvsdbStore
    daemon: Daemon

    def flows_are_planned(self) -> bool:
        records, plan = self.store.snapshot(), FlowPlanner(host.NAME)
        wanted = {flow.cookie for owner in plan.keys(records) for flow in plan.want(records, owner) or ()}
        had = {int(cookie, 16) for cookie in re.findall(r"cookie=(0x[0-9a-f]+)", "\n".join(self.switch.flows()))}
        return had == wanted


@pytest.fixture
def world(machine: None) -> Iterator[World]:
    """Everything but the daemon is running."""
    with tempfile.TemporaryDirectory() as name, switch() as one:
        directory = Path(name)
        with Database(directory) as database:
            store = OvsdbStore(database.remote)
            assert store.ready(10)
            store.commit([Insert(record) for record in host.ALL])
            one.add_ports(host.ports())
            (directory / "c.toml").write_text(
                f'[host]\nname = "{host.NAME}"\n[records]\nremote = "{database.remote}"\n'
                f'[openvswitch]\nrundir = "{one.directory}"\n[controller]\nadmin = "{directory}/admin.sock"\n'
            )
            daemon = Daemon(directory)
            yield World(one, store, daemon)
            daemon.kill()
            store.close()


def test_a_killed_controller_leaves_its_flows_and_its_successor_sends_nothing(world: World) -> None:
    world.daemon.start()
    eventually(lambda: all(is_up(world.store, endpoint) for endpoint in ENDPOINTS), within=30)
    assert world.daemon.status()["daemon"] == NAME
    before = world.switch.flows()

    world.daemon.kill()

    assert world.switch.flows() == before
    world.daemon.start()
    told = world.daemon.status
    eventually(lambda: told().get("flows") == {"wanted": len(before), "had": len(before)}, within=30)
    assert world.switch.flows() == before
    assert "added" not in (world.daemon.directory / "log").read_text().rpartition("controlling")[2]


def test_killed_at_any_moment_its_successor_ends_with_the_plan(world: World) -> None:
    many = [host.endpoint(f"e{n}", WEB, 1000 + n, f"10.1.{4 + n // 250}.{n % 250}/16") for n in range(1000)]
    world.store.commit([Insert(endpoint) for endpoint in many])
    for flows in (1, 3000, 100_000):  # kill as soon as so many are there, or all
        world.switch.ofctl("del-flows", BRIDGE)
        world.daemon.start()
        eventually(lambda: len(world.switch.flows()) >= min(flows, 6000), within=30)  # noqa: B023
        world.daemon.kill()

    world.daemon.start()

    eventually(world.flows_are_planned, within=30)


def test_told_to_stop_it_stops_and_leaves_the_flows(world: World) -> None:
    world.daemon.start()
    eventually(world.flows_are_planned, within=30)
    assert world.daemon.process is not None

    world.daemon.process.terminate()

    assert world.daemon.process.wait(timeout=10) == 0
    assert world.flows_are_planned()


@pytest.mark.parametrize("content", ["[controller]\nframework = 'floodlight'\n", "[controler]\n"])
def test_a_wrong_configuration_is_told_in_one_line(world: World, content: str) -> None:
    (world.daemon.directory / "c.toml").write_text(content)
    world.daemon.start()
    assert world.daemon.process is not None

    assert world.daemon.process.wait(timeout=20) == 1

    assert (world.daemon.directory / "log").read_text().startswith(f"{NAME}: c.toml:")
