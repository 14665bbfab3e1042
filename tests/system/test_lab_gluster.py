import os
from collections.abc import Iterator

import pytest

from lab.command import CommandFailed, wait_for
from lab.gluster import BRICKS, Pool, Volume, add_pool
from lab.lab import Lab, leftovers
from lab.node import Node

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("machine")]

MOUNT = "/var/lib/mounted"


@pytest.fixture(scope="module")
def place(machine: None) -> Iterator[Lab]:
    with Lab(f"gl-{os.getpid()}", hosts=0) as lab:
        yield lab
    assert [] == leftovers(lab.place)


@pytest.fixture(scope="module")
def pool(place: Lab) -> Pool:
    return add_pool(place, "g1", "g2")


@pytest.fixture(scope="module")
def volume(pool: Pool) -> Volume:
    return pool.volume("v0")


@pytest.fixture(scope="module")
def client(place: Lab, volume: Volume) -> Node:
    client = place.add(Node, "client")
    client.exec("mkdir", "-p", MOUNT)
    client.exec("mount", "-t", "glusterfs", "-o", "backup-volfile-servers=g2", f"g1:/{volume.name}", MOUNT)
    return client


def write(client: Node, name: str, text: str) -> None:
    client.exec("tee", f"{MOUNT}/{name}", stdin=text)


def test_each_server_has_a_copy_of_what_a_client_writes(client: Node, pool: Pool) -> None:
    write(client, "file", "twice")

    assert ["twice", "twice"] == [server.exec("cat", f"{BRICKS}/v0/file") for server in pool.servers]


def test_a_brick_that_was_killed_is_missed_by_nobody_and_heals(client: Node, pool: Pool, volume: Volume) -> None:
    g1, g2 = pool.servers
    volume.kill_brick(g2)
    wait_for("glusterd to see it", lambda: volume.bricks() == {"g1": True, "g2": False}, 5)
    write(client, "brick", "written meanwhile")

    volume.start()
    volume.wait_client(client)
    volume.wait_healed()

    assert "written meanwhile" == client.exec("cat", f"{MOUNT}/brick") == g2.exec("cat", f"{BRICKS}/v0/brick")
    assert g1.exec("cat", f"{BRICKS}/v0/brick") == g2.exec("cat", f"{BRICKS}/v0/brick")


def test_a_server_that_lost_power_comes_back_with_its_bricks_and_heals(
    client: Node, pool: Pool, volume: Volume
) -> None:
    g1, _ = pool.servers
    g1.crash()
    write(client, "power", "one copy")

    g1.boot()
    g1.start()
    pool.wait_connected()
    volume.wait_client(client)
    volume.wait_healed()

    assert "one copy" == g1.exec("cat", f"{BRICKS}/v0/power")


def test_a_limit_on_a_directory_holds_for_clients_and_is_the_size_they_see(client: Node, volume: Volume) -> None:
    client.exec("mkdir", f"{MOUNT}/limited")
    volume.limit("/limited", "8MB")

    with pytest.raises(CommandFailed, match="Disk quota exceeded"):
        client.exec("dd", "if=/dev/zero", f"of={MOUNT}/limited/big", "bs=1M", "count=20")

    assert "8192" in client.exec("df", "-k", f"{MOUNT}/limited")


def test_what_the_pool_refuses_is_said_in_its_words(pool: Pool) -> None:
    with pytest.raises(CommandFailed, match="Volume v0 already exists"):
        pool.volume("v0")
