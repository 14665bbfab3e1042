"""Hosts with the volume plugin and an NFS server; the server is real, the client is what the lab has for one."""

import os
from collections.abc import Iterator

import pytest

from lab.fuse_nfs.install import install
from lab.ganesha import MINORS, Ganesha
from lab.host import Host
from lab.lab import Lab, leftovers
from lab.node import Node


@pytest.fixture(scope="package")
def storage(machine: None) -> Iterator[Lab]:
    """Two hosts with the volume plugin, and `nas`, a machine beside them; local volumes are at backend `disk`."""
    with Lab(f"nfs-{os.getpid()}", hosts=2, shared=True, ovs=False) as lab:
        lab.add(Node, "nas")
        for host in lab.hosts:
            install(host)
            host.exec("mkdir", "-p", "/var/lib/moorage/disk")
        lab.host.moorage("backend", "add", "disk", "--kind", "local", "--source", "/var/lib/moorage/disk")
        yield lab
    assert [] == leftovers(lab.place)


@pytest.fixture(scope="package")
def ganesha(storage: Lab) -> Ganesha:
    server = Ganesha(storage.added[0])
    server.start()
    return server


@pytest.fixture
def nas(storage: Lab, ganesha: Ganesha) -> Iterator[Ganesha]:
    """The running server, whatever a test does to it; its exports stay, each test has its own."""
    yield ganesha
    storage.fabric.heal()
    ganesha.resume()
    if (ganesha.v3, ganesha.minors) != (True, MINORS):
        ganesha.kill()
        ganesha.v3, ganesha.minors = True, MINORS
    if not ganesha.running:
        ganesha.start()
    for host in storage.hosts:  # all containers first: a volume that any host uses cannot be removed
        if containers := host.docker("ps", "-aq").split():
            host.docker("rm", "-f", *containers)
    for host in storage.hosts:
        host.repair()


@pytest.fixture
def host(storage: Lab, nas: Ganesha) -> Host:
    """The first host; the server's faults end before Docker is cleared."""
    return storage.host


@pytest.fixture
def other(storage: Lab, nas: Ganesha) -> Host:
    """The second host, which shares the records of the first."""
    return storage.hosts[1]
