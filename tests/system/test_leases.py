"""Volumes that are one host's at a time: two Docker hosts, one storage server, and what happens when one is lost.

Each host writes to a file of its own, and the server's copy of it tells whether it did.
"""

import json
import os
import time
from collections.abc import Iterator

import pytest

from lab.command import LabError, wait_for
from lab.gluster import BRICKS, GlusterServer, add_pool
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab, leftovers
from lab.traces import volume_mounts
from tests.system.steps import inspect, refused

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("machine")]

LEASE = 10  # seconds: containers freeze after 5, are killed after 6.7, and others may have the volume after 10.2
WRITER = "i=0; while :; do i=$((i+1)); echo $i >> /data/$0; usleep 20000; done"


class Place:
    """Two hosts and the server; the records are on the first host, which is never cut off from them."""

    def __init__(self, lab: Lab, server: GlusterServer) -> None:
        self.lab = lab
        self.first, self.second = lab.hosts
        self.server = server

    def create(self, name: str, access: str = "host") -> None:
        self.first.docker("volume", "create", "-d", "moorage-vol", "-o", f"access={access}", name)

    def write(self, host: Host, volume: str, container: str) -> None:
        """Start a container that writes without end to a file that is called like it."""
        words = ["run", "-d", "--name", container, "-v", f"{volume}:/data", IMAGE, "sh", "-c", WRITER, container]
        host.docker(*words, timeout=150)
        wait_for(f"{container} to write", lambda: self.size(volume, container), 10)

    def take(self, host: Host, volume: str, container: str) -> None:
        """Start it as soon as the host gets the volume."""

        def taken() -> bool:
            host.docker("rm", "-f", container, check=False)
            self.write(host, volume, container)
            return True

        wait_for(f"{container} to get the volume", taken, 120)

    def size(self, volume: str, container: str) -> int:
        """Return how much a container has written, in bytes at the server."""
        path = self.told(volume)["Path"]
        return int(self.server.exec("stat", "-c", "%s", f"{BRICKS}/v0/{path}/{container}"))

    def told(self, volume: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.first.docker("volume", "inspect", volume))[0]["Status"]
        return found

    def stands(self, volume: str, container: str) -> bool:
        """Return whether a container writes nothing for half a second."""
        before = self.size(volume, container)
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            if self.size(volume, container) != before:
                return False
        return True


@pytest.fixture(scope="module")
def running(machine: None) -> Iterator[Place]:
    config = {"volplugin": {"lease": LEASE}}
    with Lab(f"lease-{os.getpid()}", hosts=2, shared=True, ovs=False, config=config) as lab:
        pool = add_pool(lab, "g1")
        pool.volume("v0")
        lab.host.moorage("backend", "add", "gl", "--kind", "glusterfs", "--source", "g1:/v0")
        yield Place(lab, pool.servers[0])
    assert [] == leftovers(lab.place)


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    yield running
    running.lab.fabric.heal()
    for host in running.lab.hosts:  # before anybody removes a volume that the other one uses
        if containers := host.docker("ps", "-aq").split():
            host.docker("rm", "-f", *containers)
    for host in running.lab.hosts:
        host.repair()


def ended(host: Host, container: str) -> bool:
    return inspect(host, container, ".State.Running") == "false"


def test_a_second_host_is_refused_and_told_who_has_it_until_that_one_ends(place: Place) -> None:
    place.create("mine")
    place.write(place.second, "mine", "old")
    wait_for("a renewal to be seen", lambda: "in use by containers of host h2" in refused(lambda: mount(place, "mine")))

    place.second.docker("rm", "-f", "old")

    mount(place, "mine")
    assert [] == volume_mounts(place.first) == volume_mounts(place.second)
    assert "Lease" not in place.told("mine")
    assert 3 == int(place.told("mine")["Epoch"])


def mount(place: Place, volume: str) -> None:
    place.first.docker("run", "--rm", "-v", f"{volume}:/data", IMAGE, "true", timeout=150)


def test_of_one_container_is_what_a_second_one_of_the_same_host_is_refused(place: Place) -> None:
    place.create("single", "container")
    place.write(place.first, "single", "only")

    assert "another container of this host since" in refused(lambda: mount(place, "single"))
    assert "1\n" == place.first.docker("cp", "only:/data/only", "-")[512:514]  # a second use by the same container


def test_a_host_without_records_writes_nothing_once_another_one_has_the_volume(place: Place) -> None:
    place.create("cut")
    place.write(place.second, "cut", "old")
    place.lab.fabric.partition(place.first, place.second)

    place.take(place.first, "cut", "new")
    after = place.size("cut", "old")

    assert "host h1, epoch 3" == place.told("cut")["Lease"]
    assert ended(place.second, "old")
    place.lab.fabric.heal()
    wait_for("the second host to clear away", lambda: not volume_mounts(place.second), 40)
    assert after == place.size("cut", "old")
    assert not place.stands("cut", "new")
    assert "in use by containers of host h1" in refused(
        lambda: place.second.docker("run", "--rm", "-v", "cut:/data", IMAGE, "true", timeout=150)
    )


def test_records_that_come_back_before_the_bound_let_frozen_containers_go_on(place: Place) -> None:
    place.create("pause")
    place.write(place.second, "pause", "old")
    database = place.first.procs["moorage-db"]

    database.pause()
    wait_for("the container to freeze", lambda: place.stands("pause", "old"), LEASE)
    assert not ended(place.second, "old")
    database.resume()

    wait_for("the container to go on", lambda: not place.stands("pause", "old"), LEASE)
    assert not ended(place.second, "old")


def test_a_killed_daemon_beside_a_hung_dockerd_leaves_a_guard_that_ends_its_containers(place: Place) -> None:
    place.create("kill")
    place.write(place.second, "kill", "old")
    place.second.procs["dockerd"].pause()
    place.second.procs["moorage-volplugin"].kill()

    place.take(place.first, "kill", "new")
    after = place.size("kill", "old")

    place.second.procs["dockerd"].resume()
    wait_for("dockerd to see it", lambda: ended(place.second, "old"), 20)
    place.second.start_volplugin()
    wait_for("the second host to clear away", lambda: not volume_mounts(place.second), 20)
    assert after == place.size("kill", "old")


def test_a_daemon_that_is_back_in_time_goes_on_with_its_leases(place: Place) -> None:
    place.create("again")
    place.write(place.second, "again", "old")
    place.second.procs["moorage-volplugin"].kill()

    place.second.start_volplugin()

    with pytest.raises(LabError):
        wait_for("the container to end", lambda: ended(place.second, "old"), LEASE)
    assert not place.stands("again", "old")


def test_of_a_host_without_power_the_volume_is_taken_after_the_bound(place: Place) -> None:
    place.create("dead")
    place.write(place.second, "dead", "old")
    place.second.crash()

    place.take(place.first, "dead", "new")

    place.second.boot()
    place.second.start(ovs=False)
    wait_for("the second host to know", lambda: "host h1" in place.told("dead")["Lease"], 20)
    assert [] == volume_mounts(place.second)
    assert not place.stands("dead", "new")
