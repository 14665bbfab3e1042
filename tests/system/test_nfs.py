"""Volumes on an NFS server, through a real dockerd; the server is real, the client is what the lab has for one."""

import os
from collections.abc import Iterator

import pytest

from lab.fuse_nfs.install import install
from lab.ganesha import Ganesha
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab, leftovers
from lab.node import Node
from lab.traces import volume_mounts

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("machine")]


@pytest.fixture(scope="module")
def storage(machine: None) -> Iterator[Lab]:
    """A host with Docker and the volume plugin, and a server beside it."""
    with Lab(f"nfs-{os.getpid()}", ovs=False) as lab:
        lab.add(Node, "nas")
        install(lab.host)
        yield lab
    assert [] == leftovers(lab.place)


@pytest.fixture(scope="module")
def server(storage: Lab) -> Ganesha:
    nas = Ganesha(storage.added[0])
    nas.start()
    return nas


def create(host: Host, volume: str, backend: str, *options: str) -> None:
    words = [word for option in options for word in ("-o", option)]
    host.docker("volume", "create", "-d", "moorage-vol", "-o", f"backend={backend}", *words, volume)


def run(host: Host, volume: str, command: str, timeout: float = 60) -> str:
    """Run a command in a container of the volume, in its top directory."""
    words = ["run", "--rm", "-v", f"{volume}:/data", IMAGE, "sh", "-c", f"cd /data; {command}"]
    return host.docker(*words, timeout=timeout).strip()


@pytest.mark.parametrize("version", ["3", "4.0", "4.1"])
def test_a_volume_is_a_directory_of_the_export(storage: Lab, server: Ganesha, version: str) -> None:
    host = storage.host
    name = f"v{version.replace('.', '')}"
    export = server.export(name)
    host.moorage("backend", "add", name, "--kind", "nfs", "--source", f"nas:/{name}", "-o", f"vers={version}")
    create(host, f"{name}-first", name, "uid=1000", "mode=0750")

    run(host, f"{name}-first", "echo kept > file")

    assert "kept" == run(host, f"{name}-first", "cat file")
    (directory,) = (export / "default").glob("*/")
    assert (1000, 0o40750) == (directory.stat().st_uid, directory.stat().st_mode)
    assert "kept\n" == (directory / "file").read_text()
    assert [] == volume_mounts(host)
