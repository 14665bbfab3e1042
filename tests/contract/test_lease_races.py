"""Two hosts race for volumes that one may have at a time, over a real database: a thousand mounts, one holder each."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

import pytest

from records.hosts import ensure_host
from records.ovsdb import OvsdbStore
from tests.database import Database
from tests.volume_machine import FakeMachine
from tests.volume_plugin import VolumePlugin, mount_id
from tests.waiting import in_threads

VOLUMES = ("data", "more", "last")
ROUNDS = 125  # of each of four threads on each of two hosts


class Race:
    """Who has which volume, as the containers see it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[str, set[tuple[str, int]]] = {name: set() for name in VOLUMES}
        self.won: dict[str, int] = {}
        self.lost = 0
        self.random = random.Random(20)  # noqa: S311  # no secret

    def begin(self, volume: str, host: str, container: int) -> None:
        with self._lock:
            users = self._users[volume]
            assert {host} >= {other for other, _ in users}, f"{volume}: {host} beside {users}"
            users.add((host, container))
            self.won[host] = self.won.get(host, 0) + 1

    def end(self, volume: str, host: str, container: int) -> None:
        with self._lock:
            self._users[volume].remove((host, container))

    def refused(self) -> None:
        with self._lock:
            self.lost += 1


@pytest.fixture
def pair(database: Database) -> Iterator[list[VolumePlugin]]:
    first = FakeMachine()
    with contextlib.ExitStack() as last:
        made = []
        for name, machine in (("a", first), ("b", FakeMachine(first))):
            store = last.enter_context(contextlib.closing(OvsdbStore(database.remote)))
            assert store.ready(5)
            ensure_host(store, name, "volplugin", "0")
            plugin = VolumePlugin(store, machine, host=name, shared=True)
            plugin.start()
            last.callback(plugin.stop)
            made.append(plugin)
        yield made


def test_of_a_thousand_racing_mounts_no_two_hosts_ever_have_one_volume(pair: list[VolumePlugin]) -> None:
    pair[0].backend()
    for name in VOLUMES:
        pair[0].create(name, access="host")
    race = Race()

    def compete(plugin: VolumePlugin, number: int) -> None:
        for turn in range(ROUNDS):
            volume = VOLUMES[race.random.randrange(len(VOLUMES))]
            container = number * 1000 + turn + 1
            answer = plugin.post("VolumeDriver.Mount", {"Name": volume, "ID": mount_id(container)})
            if "Err" in answer:
                assert "in use by containers of host" in answer["Err"], answer
                race.refused()
                continue
            race.begin(volume, plugin.host, container)
            race.end(volume, plugin.host, container)
            plugin.unmount(volume, container)

    in_threads([lambda p=plugin, n=n: compete(p, n) for plugin in pair for n in range(4)])

    assert 2 * 4 * ROUNDS == sum(race.won.values()) + race.lost
    assert {"a", "b"} == set(race.won)
    assert race.lost > 0
    assert [] == list(pair[0].records.holders)
