"""What others notice of an NFS server that hangs: `docker run` on a local disk, and `docker volume ls`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from bench.figures import Case, interleaved, keep, noise, show, timed
from lab.fuse_nfs.install import install
from lab.ganesha import Ganesha
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from lab.node import Node

CREATE = ("volume", "create", "-d", "moorage-vol", "-o")


def main() -> None:
    """Measure with a server that answers, and while it hangs under a container and under one that is started."""
    rounds = 5 if "--quick" in sys.argv else 30
    print(f"noise of this machine (p90 over median of a fixed piece of work): {noise():.2f}")
    with Lab("bench-nfs", ovs=False) as lab:
        host, nas = lab.host, Ganesha(lab.add(Node, "nas"))
        _prepare(host, nas)
        cases = {
            "docker run, local disk": timed(lambda: host.docker("run", "--rm", "-v", "near:/data", IMAGE, "true")),
            "docker volume ls": timed(lambda: host.docker("volume", "ls", "-q")),
        }
        answers = interleaved(cases, rounds)
        nas.pause()
        hangs = _while_one_waits(host, cases, rounds)
        for name in cases:
            show(name, {"all answer": answers[name], "an NFS server hangs": hangs[name]}, "all answer")
        keep("hung-nfs", {"answers": answers, "hangs": hangs})
        nas.resume()


def _prepare(host: Host, nas: Ganesha) -> None:
    install(host)
    nas.export("far")
    nas.start()
    host.exec("mkdir", "-p", "/var/lib/moorage/disk")
    host.moorage("backend", "add", "disk", "--kind", "local", "--source", "/var/lib/moorage/disk")
    host.moorage("backend", "add", "nas", "--kind", "nfs", "--source", "nas:/far", "-o", "vers=4.1")
    host.docker(*CREATE, "backend=disk", "near")
    host.docker(*CREATE, "backend=nas", "far")
    host.docker("run", "-d", "--name", "user", "-v", "far:/data", IMAGE)


def _while_one_waits(host: Host, cases: Mapping[str, Case], rounds: int) -> Mapping[str, Sequence[float]]:
    """Take the figures while somebody tries to start a container of the hung server, and again 5 s after it failed."""
    start = f"while :; do docker run --rm -v far:/data {IMAGE} true; sleep 5; done"
    starting = host.spawn("starting", "sh", "-c", start)
    try:
        return interleaved(cases, rounds)
    finally:
        starting.kill()


if __name__ == "__main__":
    main()
