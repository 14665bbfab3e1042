"""The part of the demonstration about volumes: data that outlives its container, its host and a storage server."""

from __future__ import annotations

import time

from lab.command import CommandFailed
from lab.gluster import Pool, add_pool
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from lab.story import Story

TEXT = "written on h1"


def tell(story: Story, lab: Lab) -> None:
    """Write on one host, lose a server, and read on the other host."""
    first, second = lab.hosts
    story.several = True
    pool = _backend(story, lab)
    _write(story, first)
    _server_dies(story, pool)
    _read(story, second)


def _backend(story: Story, lab: Lab) -> Pool:
    story.step("Two GlusterFS servers, g1 and g2, each with a copy of volume v0, become a backend")
    pool = add_pool(lab, "g1", "g2")
    bricks = pool.volume("v0").bricks()
    story.result("both servers serve their copy", good=bricks == {"g1": True, "g2": True})
    said = story.moorage(lab.host, "backend", "add", "gluster", "--kind", "glusterfs", "--source", "g1,g2:/v0")
    story.result(said.strip(), good="glusterfs" in said)
    return pool


def _write(story: Story, host: Host) -> None:
    story.step("A container on host h1 writes to a volume, and is gone")
    story.command(host, "volume", "create", "-d", "moorage-vol", "-o", "backend=gluster", "data")
    command = ("sh", "-c", f"echo {TEXT} > /data/file")
    story.command(host, "run", "--rm", "-v", "data:/data", IMAGE, *command)
    story.result("no container is left on h1", good=not host.docker("ps", "-aq").strip())


def _server_dies(story: Story, pool: Pool) -> None:
    story.step("The server g1 loses power")
    pool["g1"].crash()
    story.result("g2 does not reach it", good=not pool["g2"].pings("g1"))


def _read(story: Story, host: Host) -> None:
    story.step("A container on host h2 reads what the one on h1 wrote, and writes on")
    began = time.monotonic()
    try:
        read = story.command(host, "run", "--rm", "-v", "data:/data", IMAGE, "cat", "/data/file").strip()
        took = time.monotonic() - began
        story.result(f"it reads {read!r} from the server that is left, {took:.0f} s after its start", good=read == TEXT)
        command = ("sh", "-c", "echo more >> /data/file; wc -l < /data/file")
        lines = story.command(host, "run", "--rm", "-v", "data:/data", IMAGE, *command).strip()
        story.result(f"the file has {lines} lines now", good=lines == "2")
    except CommandFailed as error:
        story.result(str(error), good=False)
