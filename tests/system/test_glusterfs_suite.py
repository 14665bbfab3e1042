"""The suite of all backends, on a real GlusterFS: on a server of the pool, and on a host that is none."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.gluster import Volume, add_pool
from lab.lab import Lab, leftovers
from lab.node import Node
from tests.backend_suite import BackendSuite, Place, define, emptied
from tests.node_machine import NodeMachine
from tests.volume_plugin import volume_plugin

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("machine")]

NAME = "suite"
UNSIZED = "only a server of the pool may set a quota, and this host is none"
OVER = 2  # what was on its way when the server began to refuse
IMAGE = {"access": "host"}


@pytest.fixture(scope="module")
def storage(machine: None) -> Iterator[Lab]:
    with Lab(f"gls-{os.getpid()}", hosts=0) as lab:
        yield lab
    assert [] == leftovers(lab.place)


@pytest.fixture(scope="module")
def volume(storage: Lab) -> Volume:
    made = add_pool(storage, "g1", "g2").volume(NAME)
    made.limit("/", "10GB")  # switches quota on
    return made


@pytest.fixture(scope="module", params=["client", "server"])
def host(request: pytest.FixtureRequest, storage: Lab, volume: Volume) -> NodeMachine:
    server = request.param == "server"
    return NodeMachine(volume.pool["g2"] if server else storage.add(Node, "client"))


@pytest.fixture
def place(host: NodeMachine) -> Iterator[Place]:
    sized = None if host.node.name == "client" else "gluster-quota"
    with volume_plugin(machine=host, backends=(), shared=True) as plugin:
        define(plugin, NAME, f"g1,g2:/{NAME}", "glusterfs")
        yield Place(plugin, NAME, host.run, sized, UNSIZED, over=OVER, depth=30, image=IMAGE)
        emptied(plugin)
        host.run("find", str(host.directory / NAME / "share"), "-mindepth", "1", "-delete")


class TestGlusterBackends(BackendSuite):
    """The suite."""
