"""`make bench`: all figures, as ratios taken in one run; `--quick` for fewer rounds."""

from __future__ import annotations

import itertools
import sys

from bench import attach, daemons, datapath, published, volumes
from bench.figures import noise
from lab.lab import Lab

FEW, MANY, CROWD = 10, 200, 500  # endpoints on the host
# What has no container would be swept as forgotten by Docker.
CONFIG = {"netplugin": {"forget_after": 86400.0}}


def main() -> None:
    """Run everything; bounded in rounds."""
    quick = "--quick" in sys.argv
    rounds = 10 if quick else 60
    many = 40 if quick else MANY
    print(f"noise of this machine (p90 over median of a fixed piece of work): {noise():.2f}")
    with Lab("bench", config=CONFIG) as lab:
        host = lab.host
        attach.networks(host)
        daemons.memory(host)
        volumes.measure(host, quick=quick)
        daemons.empty_call(host, 200)
        datapath.measure(host, 2 if quick else 5)  # on a bridge with few ports: one thread polls all of them
        datapath.outside(host, lab.outside, 2 if quick else 5)
        attach.runs(host, 5 if quick else 20)
        attach.runs_at_once(host, 2 if quick else 5, 10)
        attach.reused(host, 5 if quick else 20)
        names = itertools.count()
        attach.populate(host, FEW, names)
        few = attach.connects(host, rounds, FEW)
        attach.parallel(host, 2 if quick else 5, 20 if quick else 50)
        published.measure(host, 5 if quick else 20)
        attach.populate(host, many - FEW, names)
        crowd = attach.connects(host, rounds, many)
        attach.growth(few, crowd)
        datapath.first_pings(host, 10 if quick else 100)
        have = host.exec("ovsdb-client", "dump", "unix:/run/moorage/db.sock", "Moorage", "Endpoint").count("02:42")
        more = 50 if quick else CROWD - have
        daemons.crowd(host, more)
        daemons.startup(host, 2 if quick else 5, have + more)
        daemons.memory(host)
    print(f"\nnoise at the end: {noise():.2f}")


if __name__ == "__main__":
    main()
