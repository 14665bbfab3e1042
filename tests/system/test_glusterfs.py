"""Volumes on GlusterFS: two Docker hosts, two servers, and what happens when some of it dies; all of it is real."""

import itertools
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from lab.command import CommandFailed, wait_for
from lab.gluster import BRICKS, Pool, Volume, add_pool
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab, leftovers
from lab.moorage import CHECKOUT
from lab.node import Node
from tests.system.steps import refused

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("machine")]

SHARE = "/var/lib/moorage/volumes/{}/share"
WRITER = "while read up rest < /proc/uptime; do echo $up >> /data/log; sleep 0.05; done"


@pytest.fixture(scope="module")
def place(machine: None) -> Iterator[Lab]:
    """Two hosts with Docker and the volume plugin, with their records in common."""
    with Lab(f"gfs-{os.getpid()}", hosts=2, shared=True, ovs=False) as lab:
        yield lab
    assert [] == leftovers(lab.place)


@pytest.fixture(scope="module")
def pool(place: Lab) -> Pool:
    return add_pool(place, "g1", "g2")


@pytest.fixture(scope="module")
def volume(place: Lab, pool: Pool) -> Volume:
    made = pool.volume("v0")
    add(place.host, "gl", "g1,g2:/v0")
    return made


@pytest.fixture
def hosts(place: Lab, volume: Volume) -> Iterator[list[Host]]:
    yield place.hosts
    for host in place.hosts:
        host.clear_docker()
    place.fabric.heal()


def add(host: Host, name: str, source: str, kind: str = "glusterfs") -> None:
    host.moorage("backend", "add", name, "--kind", kind, "--source", source)


def create(host: Host, name: str, backend: str = "gl") -> None:
    host.docker("volume", "create", "-d", "moorage-vol", "-o", f"backend={backend}", name)


def run(host: Host, name: str, command: str) -> str:
    """Run a command in a new container that has a volume at /data."""
    words = ["run", "--rm", "-v", f"{name}:/data", IMAGE, "sh", "-c", command]
    return host.docker(*words, timeout=100).strip()


def path(host: Host, name: str) -> str:
    """Return where a volume's directory is below the share."""
    found: str = json.loads(host.docker("volume", "inspect", name))[0]["Status"]["Path"]
    return found


def client_pid(host: Host, backend: str) -> int:
    return int(host.exec("pgrep", "-f", f"^/usr/sbin/glusterfs .*{SHARE.format(backend)}").split()[0])


def called(node: Node, verb: str, **arguments: Any) -> dict[str, Any]:
    """Return the answer of a worker on a node."""
    call = json.dumps({"verb": verb, "arguments": arguments}) + "\n"
    words = ["env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", "volplugin.worker"]
    answer: dict[str, Any] = json.loads(node.exec(*words, stdin=call))
    return answer


def definition(source: str) -> dict[str, Any]:
    return {"name": "worked", "kind": "glusterfs", "source": source, "options": {}}


def probe(host: Host, source: str) -> dict[str, tuple[bool, str]]:
    """Return what a probe of a backend finds on a host: thing -> (good, what and advice)."""
    found = called(host, "probe", backend=definition(source))["result"]
    return {f["what"]: (f["good"], f"{f['found']}; {f['advice']}") for f in found}


def test_what_a_host_writes_another_one_reads_though_a_server_died_between(
    hosts: list[Host], pool: Pool, volume: Volume
) -> None:
    first, second = hosts
    create(first, "data")
    run(first, "data", "echo kept > /data/file")

    pool["g1"].crash()

    assert "kept" == run(second, "data", "cat /data/file"), "by a mount that came about without the first server"
    run(second, "data", "echo more >> /data/file")
    assert "kept\nmore" == run(first, "data", "cat /data/file")
    pool["g1"].boot()
    pool["g1"].start()
    pool.wait_connected()
    volume.wait_healed()
    copy = f"{BRICKS}/v0/{path(first, 'data')}/file"
    assert ["kept\nmore\n"] * 2 == [server.exec("cat", copy) for server in pool.servers]
    for host in hosts:
        volume.wait_client(host)


def test_a_killed_client_is_mounted_anew_for_the_next_container(hosts: list[Host]) -> None:
    host = hosts[0]
    create(host, "orphan")
    run(host, "orphan", "echo before > /data/file")
    host.docker("run", "-d", "--name", "running", "-v", "orphan:/data", IMAGE)
    old = client_pid(host, "gl")

    host.exec("kill", "-9", old)

    assert "not connected" in refused(lambda: host.docker("exec", "running", "cat", "/data/file"))
    assert "before" == run(host, "orphan", "cat /data/file")
    assert old != client_pid(host, "gl")
    host.docker("restart", "-t", "1", "running")
    assert "before\n" == host.docker("exec", "running", "cat", "/data/file")


def test_a_mount_that_the_servers_refuse_fails_the_container_with_the_reason(hosts: list[Host], pool: Pool) -> None:
    host = hosts[0]
    closed = pool.volume("closed", options={"auth.allow": "10.77.0.99"})
    add(host, "closed", "g1,g2:/closed")

    told = refused(lambda: create(host, "shut", "closed"))

    assert "the servers refuse this host at closed" in told
    assert "gluster volume get closed auth.allow" in told
    assert "closed/share" not in host.exec("cat", "/proc/self/mountinfo")
    assert "" == host.exec("find", SHARE.format("closed"), "-mindepth", "1", check=False), "nothing on the host's disk"
    (good, why) = probe(host, "g1,g2:/closed")["mount of g1,g2:/closed"]
    assert (good, "refuse this host" in why) == (False, True)
    closed.reset("auth.allow")
    create(host, "shut", "closed")
    assert "in" == run(host, "shut", "echo in > /data/file; cat /data/file")


@pytest.mark.parametrize(
    ("source", "what", "words"),
    [
        ("g1,g2:/nothing", "mount of g1,g2:/nothing", "the servers know no volume nothing"),
        ("g1:/v0/nowhere", "mount of g1:/v0/nowhere", "volume v0 has no directory /nowhere"),
        ("elsewhere:/v0", "server elsewhere", "its name is not known on this host"),
        ("h2:/v0", "server h2", "nothing listens on its TCP port 24007; start its service"),
    ],
)
def test_a_probe_finds_what_is_missing(hosts: list[Host], source: str, what: str, words: str) -> None:
    good, why = probe(hosts[0], source)[what]

    assert not good
    assert words in why


def test_a_probe_of_what_works_is_good_and_leaves_nothing(hosts: list[Host]) -> None:
    found = probe(hosts[0], "g1,g2:/v0")

    assert all(good for good, _ in found.values())
    assert "its bricks answer" in found["mount of g1,g2:/v0"][1]
    assert "/run/moorage/trial" not in hosts[0].exec("cat", "/proc/self/mountinfo")
    assert not hosts[0].succeeds("pgrep", "-f", "/run/moorage/trial")


def test_a_quota_of_the_server_reaches_the_container_and_is_what_df_shows(hosts: list[Host], volume: Volume) -> None:
    host = hosts[0]
    create(host, "small")
    volume.limit(f"/{path(host, 'small')}", "8MB")

    told = refused(lambda: run(host, "small", "dd if=/dev/zero of=/data/big bs=1M count=20"))

    assert "Disk quota exceeded" in told
    assert re.search(r"\s8192\s", run(host, "small", "df -k /data"))


def test_a_size_is_refused_on_a_host_that_is_no_server_of_the_pool(hosts: list[Host]) -> None:
    words = ("volume", "create", "-d", "moorage-vol", "-o", "backend=gl", "-o", "size=8M", "sized")

    told = refused(lambda: hosts[0].docker(*words))

    assert "only a server of the pool may set a quota, and this host is none" in told
    assert "size-mode=report" in told


def test_a_size_becomes_a_quota_on_a_server_of_the_pool(pool: Pool, volume: Volume) -> None:
    server, share = pool["g2"], "/var/lib/worked"
    backend = definition("g1,g2:/v0")
    volume.limit("/", "10GB")  # switches quota on
    assert called(server, "mount", backend=backend, target=share) == {"result": None}

    made = called(server, "make", backend=backend, share=share, path="t/sized", mark={"volume": "1"}, size=8 * 2**20)

    assert made == {"result": {"size_by": "gluster-quota"}}
    assert re.search(r"\s8192\s", server.exec("df", "-k", f"{share}/t/sized"))
    with pytest.raises(CommandFailed, match="Disk quota exceeded"):
        server.exec("dd", "if=/dev/zero", f"of={share}/t/sized/big", "bs=1M", "count=20")
    called(server, "delete", backend=backend, share=share, paths=["t/sized"], volume="1")
    assert not server.succeeds("test", "-e", f"{share}/t/sized")
    assert "/t/sized" not in pool.gluster("volume", "quota", "v0", "list")
    called(server, "unmount", target=share)


def test_a_writer_goes_on_when_the_wire_of_a_server_is_cut(
    hosts: list[Host], place: Lab, pool: Pool, volume: Volume
) -> None:
    host = hosts[1]
    create(host, "busy")
    host.docker("run", "-d", "--name", "writer", "-v", "busy:/data", IMAGE, "sh", "-c", WRITER)
    wait_for("the writer to begin", lambda: len(times(host)) > 20)
    place.fabric.isolate(pool["g2"])
    cut = len(times(host))

    wait_for("the writer to go on", lambda: len(times(host)) > cut + 100, 60)

    host.docker("rm", "-f", "writer")
    gaps = [after - before for before, after in itertools.pairwise(times(host))]
    sys.stdout.write(f"longest gap of a writer while a server's wire was cut: {max(gaps):.2f} s\n")
    assert max(gaps) < 60
    place.fabric.heal()
    pool.wait_connected()
    volume.wait_client(host)
    volume.wait_healed()
    copy = f"{BRICKS}/v0/{path(host, 'busy')}/log"
    assert len({server.exec("md5sum", copy) for server in pool.servers}) == 1


def times(host: Host) -> list[float]:
    """Return what the writer wrote: seconds of uptime, each line whole."""
    share = host.exec("cat", f"{SHARE.format('gl')}/{path(host, 'busy')}/log", check=False)
    return [float(line) for line in share.splitlines()]


def test_with_all_servers_dead_only_their_volumes_fail_and_say_why(hosts: list[Host], pool: Pool) -> None:
    host = hosts[0]
    host.exec("mkdir", "-p", "/var/lib/moorage/disk")
    add(host, "disk", "/var/lib/moorage/disk", "local")
    create(host, "local", "disk")
    create(host, "remote")
    for server in pool.servers:
        server.crash()

    with pytest.raises(CommandFailed) as failed:
        run(host, "remote", "true")

    sys.stdout.write(f"{failed.value}\n")
    assert re.search("no server answers|does not answer|not connected", str(failed.value)), failed.value
    assert "fine" == run(host, "local", "echo fine > /data/file; cat /data/file")
