"""The lab's NFS: a server, and clients that hang, fail and go on as the kernel's do."""

import os
from collections.abc import Iterator

import pytest

from lab.command import CommandFailed, LabError, wait_for
from lab.fuse_nfs.install import install
from lab.ganesha import Ganesha
from lab.lab import Lab, leftovers
from lab.node import Node

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("machine")]

DIRECTORY = "/run/share"


@pytest.fixture(scope="module")
def storage(machine: None) -> Iterator[Lab]:
    """A server and two clients."""
    with Lab(f"share-{os.getpid()}", hosts=0) as lab:
        lab.add(Node, "nfs1")
        for name in ("c1", "c2"):
            install(lab.add(Node, name))
        yield lab
    assert [] == leftovers(lab.place)


@pytest.fixture(scope="module")
def ganesha(storage: Lab) -> Ganesha:
    server = Ganesha(storage.added[0])
    server.export("data")
    server.start()
    return server


@pytest.fixture
def server(storage: Lab, ganesha: Ganesha) -> Iterator[Ganesha]:
    """The running server with the export `data` only, whatever a test did to it."""
    yield ganesha
    storage.fabric.heal()
    ganesha.resume()
    ganesha.exports = {name: export for name, export in ganesha.exports.items() if name == "data"}
    if ganesha.running and (ganesha.v3, ganesha.minors) == (True, (0, 1, 2)):
        ganesha.reload()
        return
    if ganesha.running:
        ganesha.kill()
    ganesha.v3, ganesha.minors = True, (0, 1, 2)
    ganesha.start()


@pytest.fixture
def clients(storage: Lab, server: Ganesha) -> Iterator[list[Node]]:
    yield storage.added[1:]
    for node in storage.added[1:]:
        while f" {DIRECTORY} " in node.exec("cat", "/proc/1/mountinfo"):
            node.exec("umount", "-l", DIRECTORY)


def mount(node: Node, export: str = "data", options: str = "vers=4.1", server: str = "nfs1") -> None:
    """Mount as a script does that knows nothing of stand-ins."""
    node.exec("mkdir", "-p", DIRECTORY)
    kind = "nfs" if "vers=3" in options else "nfs4"
    node.exec("mount", "-t", kind, "-o", f"{options},retry=0", f"{server}:/{export}", DIRECTORY)


def refused(node: Node, export: str, options: str = "vers=4.1", server: str = "nfs1") -> str:
    with pytest.raises(CommandFailed) as failed:
        mount(node, export, options, server)
    assert failed.value.code in {1, 32}
    return str(failed.value)


@pytest.mark.parametrize("version", ["3", "4.0", "4.1", "4.2"])
def test_what_one_client_writes_another_reads(clients: list[Node], version: str) -> None:
    writer, reader = clients
    mount(writer, options=f"vers={version},hard")
    mount(reader)

    writer.exec("tee", f"{DIRECTORY}/file", stdin=f"written over {version}")

    assert f"written over {version}" == reader.exec("cat", f"{DIRECTORY}/file")
    kind = "fuse.nfs" if version == "3" else "fuse.nfs4"
    assert f"{kind} nfs1:/data" == writer.exec("findmnt", "-rno", "FSTYPE,SOURCE", DIRECTORY).strip()


def test_files_have_their_owners_modes_times_and_links(clients: list[Node]) -> None:
    mount(clients[0])
    script = """
        umask 022; cd /run/share; rm -rf d; mkdir -m 750 d; echo text > d/a; chown 1000:1001 d/a; chmod 640 d/a
        touch -d @1000000000 d/a; ln d/a d/b; ln -s a d/c; mv d/a d/e; truncate -s 3 d/b
        stat -c '%a %u %g %h %s' d/e; readlink d/c; cat d/b; ls d; stat -c %a d; rm -r d; ls -d d 2>&1"""

    told = clients[0].exec("sh", "-c", script, check=False).split("\n")

    assert ["640 1000 1001 2 3", "a", "texb", "c", "e", "750"] == told[:6]
    assert "No such file or directory" in told[6]


def test_a_hard_mount_hangs_while_the_server_is_dead_and_loses_nothing(server: Ganesha, clients: list[Node]) -> None:
    mount(clients[0])
    writer = clients[0].spawn(
        "writer", "sh", "-c", f"for n in $(seq 60); do echo $n >> {DIRECTORY}/lines; echo $n; sleep 0.02; done"
    )
    wait_for("the writer to write", lambda: "10" in writer.tail().split())

    server.kill()
    with pytest.raises(LabError, match="timed out"):
        clients[0].exec("ls", DIRECTORY, timeout=1)
    server.start()

    wait_for("the writer to end", lambda: not writer.alive(), 60)
    assert [str(n) for n in range(1, 61)] == clients[0].exec("cat", f"{DIRECTORY}/lines").split()


def test_a_soft_mount_fails_when_the_server_is_silent(storage: Lab, clients: list[Node]) -> None:
    mount(clients[0], options="vers=4.1,soft,timeo=5,retrans=1")

    storage.fabric.isolate(storage.added[0])

    with pytest.raises(CommandFailed, match="Input/output error"):
        clients[0].exec("stat", DIRECTORY)


@pytest.mark.parametrize("version", ["3", "4.1"])
def test_an_export_that_was_replaced_is_stale_until_it_is_mounted_anew(
    server: Ganesha, clients: list[Node], version: str
) -> None:
    server.export("passing")
    mount(clients[0], "passing", f"vers={version}")

    server.unexport("passing")

    touch = ("touch", f"{DIRECTORY}/file")
    with pytest.raises(CommandFailed, match="Stale file handle"):
        clients[0].exec(*touch)
    server.export("passing")
    with pytest.raises(CommandFailed, match="Stale file handle"):
        clients[0].exec(*touch)
    clients[0].exec("umount", DIRECTORY)
    mount(clients[0], "passing", f"vers={version}")
    clients[0].exec(*touch)


def test_a_read_only_export_and_a_squashed_root_refuse(server: Ganesha, clients: list[Node]) -> None:
    server.export("ro", read_only=True)
    server.export("squash", root_squash=True).chmod(0o777)
    one, other = clients

    mount(one, "ro")
    mount(other, "squash")

    with pytest.raises(CommandFailed, match="Read-only file system"):
        one.exec("touch", f"{DIRECTORY}/file")
    other.exec("touch", f"{DIRECTORY}/file")
    with pytest.raises(CommandFailed, match="Operation not permitted"):
        other.exec("chown", "1000", f"{DIRECTORY}/file")


@pytest.mark.parametrize(
    ("export", "options", "server_", "says"),
    [
        ("data", "vers=4.1", "nosuch", "Failed to resolve server nosuch: Name or service not known"),
        ("data", "vers=4.1", "c2", "Connection refused"),
        ("data", "vers=3", "c2", "Connection refused"),
        ("missing", "vers=4.1", "nfs1", "mounting nfs1:/missing failed, reason given by server: No such file or"),
        ("theirs", "vers=4.1", "nfs1", "mounting nfs1:/theirs failed, reason given by server: No such file or"),
        ("theirs", "vers=3", "nfs1", "access denied by server while mounting nfs1:/theirs"),
        ("data", "vers=4.1,bogus", "nfs1", "an incorrect mount option was specified"),
    ],
)
def test_a_mount_that_fails_says_why(
    server: Ganesha, clients: list[Node], export: str, options: str, server_: str, says: str
) -> None:
    server.export("theirs", clients="10.77.0.250")

    assert says in refused(clients[0], export, options, server_)


@pytest.mark.parametrize(
    ("only", "version", "says"),
    [
        ("4.0", "4.1", "Protocol not supported"),
        ("4.0", "3", "requested NFS version or transport protocol is not supported"),
        ("3", "4.1", "Protocol not supported"),
    ],
)
def test_a_version_that_is_not_offered_is_refused(
    server: Ganesha, clients: list[Node], only: str, version: str, says: str
) -> None:
    server.stop()
    server.minors, server.v3 = ((0,), False) if only == "4.0" else ((), True)
    server.start()

    assert says in refused(clients[0], "data", f"vers={version}")


def test_without_the_stand_in_the_kernel_has_no_client(storage: Lab, server: Ganesha) -> None:
    with pytest.raises(CommandFailed, match="No such device"):
        mount(storage.outside, server=server.node.address)


def test_a_server_that_lost_power_comes_back_with_its_exports(server: Ganesha, clients: list[Node]) -> None:
    mount(clients[0])
    clients[0].exec("tee", f"{DIRECTORY}/file", stdin="kept")

    server.node.crash()
    server.node.boot()
    server.start()

    assert "kept" == clients[0].exec("cat", f"{DIRECTORY}/file")
