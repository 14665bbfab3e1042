"""Volumes: create, look up, remove and use, beside Docker's own local driver; and while another backend hangs."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.daemons import family, pss
from bench.docker_api import Api
from bench.figures import interleaved, keep, show, timed
from lab.host import Host
from lab.image import IMAGE

OURS, THEIRS = "Moorage", "Docker's local"
DRIVERS = {OURS: "moorage-vol", THEIRS: "local"}
GOALS = {"create": 3.0, "get": 1.0, "rm": 3.0}  # ms through Docker's API
LISTED = 50.0  # ms that `docker volume ls` may take while a backend hangs
CROWD = 100  # volumes that are mounted from one backend
BACKENDS = {"disk": "/var/lib/moorage/bench", "other": "/var/lib/moorage/bench-other"}
_LONG = {"check": False, "timeout": 200}
USE = ("sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait")


def measure(host: Host, *, quick: bool) -> None:
    """Print everything about volumes."""
    for name, place in BACKENDS.items():
        host.exec("mkdir", "-p", place)
        host.moorage("backend", "add", name, "--kind", "local", "--source", place, check=False)
    calls(host, 20 if quick else 200)
    runs(host, 3 if quick else 20)
    hung(host, 3 if quick else 20)
    memory(host)
    restarts(host, 2 if quick else 10)
    crowd(host, 30 if quick else CROWD)


def calls(host: Host, rounds: int) -> None:
    """Measure create, get and rm through Docker's API."""
    api, numbers = Api(host.docker_sock), itertools.count()
    found: dict[str, dict[str, list[float]]] = {verb: {} for verb in GOALS}
    _make(api, OURS, "warm")  # the first one starts the worker and mounts the share
    for _ in range(rounds):
        for driver in DRIVERS:
            name = f"bench{next(numbers)}"
            acts = {
                "create": lambda: _make(api, driver, name),  # noqa: B023  # called before the next round
                "get": lambda: api.call("GET", f"/volumes/{name}"),  # noqa: B023
                "rm": lambda: api.call("DELETE", f"/volumes/{name}"),  # noqa: B023
            }
            for verb, act in acts.items():
                found[verb].setdefault(driver, []).append(timed(act)())
    for verb, figures in found.items():
        show(f"volume {verb} through Docker's API", figures, THEIRS)
        print(f"  goal: {OURS} p50 <= {GOALS[verb]:g} ms")
    keep("volume-calls", found)


def runs(host: Host, rounds: int) -> None:
    """Measure what a volume adds to `docker run --rm` of nothing."""
    api = Api(host.docker_sock)
    cases = {"no volume": timed(lambda: host.docker("run", "--rm", IMAGE, "true"))}
    for driver, plugin in DRIVERS.items():
        _make(api, driver, name := f"run-{plugin}")
        words = ("run", "--rm", "-v", f"{name}:/data", IMAGE, "true")
        cases[driver] = timed(lambda words=words: host.docker(*words))  # type: ignore[misc]
    found = interleaved(cases, rounds)
    show("docker run --rm with a volume", found, THEIRS)
    base = statistics.median(found["no volume"])
    for driver in DRIVERS:
        print(f"  {driver}: {statistics.median(found[driver]) - base:.1f} ms more than without a volume (p50)")
    keep("volume-run", found)


def crowd(host: Host, volumes: int) -> None:
    """Measure the first mount of a backend, and mounts where many volumes of it are mounted already."""
    host.moorage("backend", "add", "fresh", "--kind", "local", "--source", BACKENDS["disk"], check=False)
    first = _started(host, OURS, "crowd0", "fresh")
    few = {
        driver: [_started(host, driver, f"few{n}-{plugin}") for n in range(10)] for driver, plugin in DRIVERS.items()
    }
    for number in range(11, volumes - 10):
        _started(host, OURS, f"crowd{number}")
    many = {
        driver: [_started(host, driver, f"many{n}-{plugin}") for n in range(10)] for driver, plugin in DRIVERS.items()
    }
    print(f"\nstart of a container with a volume, the first one of a backend: {first:.0f} ms")
    show("the same, the 2nd to 11th", few, THEIRS)
    show(f"the same, the last ten of {volumes}", many, THEIRS)
    keep("volume-crowd", {"first": first, "few": few, "many": many})
    host.clear_docker()


def _started(host: Host, driver: str, name: str, backend: str = "disk") -> float:
    """Start a container with a volume of its own; return the milliseconds that takes."""
    api = Api(host.docker_sock)
    _make(api, driver, name, backend)
    api.call("POST", f"/containers/create?name={name}", _container(name))
    return timed(lambda: api.call("POST", f"/containers/{name}/start"))()


def hung(host: Host, rounds: int) -> None:
    """Measure `docker run` on one backend, and `docker volume ls`, while another backend does not answer."""
    api = Api(host.docker_sock)
    _make(api, OURS, "stuck", "other")
    _make(api, OURS, "sound")
    words = ("run", "--rm", "-v", "sound:/data", IMAGE, "true")
    cases = {"docker run": timed(lambda: host.docker(*words)), "volume ls": timed(lambda: api.call("GET", "/volumes"))}
    found = {"all answer": interleaved(cases, rounds)}
    with _hanging(host, "other"):
        found["one hangs"] = interleaved(cases, rounds)
    for name in cases:
        figures = {state: of[name] for state, of in found.items()}
        show(f"{name} while another backend hangs (its workers are stopped)", figures, "all answer")
    print(f"  goals: docker run <= 1.2x, volume ls <= {LISTED:g} ms")
    keep("volume-hung", found)


def memory(host: Host) -> None:
    """Print the proportional memory of the daemon, and of its workers."""
    pids = family(host, "moorage-volplugin")
    workers = _workers(host)
    print("\nmemory of moorage-volplugin (PSS), MiB")
    print(
        f"  all {sum(map(pss, pids)) / 1024:.1f}, of which {len(workers)} workers {sum(map(pss, workers)) / 1024:.1f}"
    )
    keep("volume-memory", {"all": sum(map(pss, pids)), "workers": [pss(pid) for pid in workers]})


def restarts(host: Host, rounds: int) -> None:
    """Print the time from `kill -9` of the daemon, with a container running, until the next Mount is served."""
    api = Api(host.docker_sock)
    api.call("POST", "/containers/create?name=after", _container("sound"))
    took = []
    for _ in range(rounds):
        host.procs["moorage-volplugin"].kill()
        began = time.perf_counter()
        host.start_volplugin()
        api.call("POST", "/containers/after/start")
        took.append((time.perf_counter() - began) * 1000)
        host.docker("stop", "-t", "1", "after")
    print(f"\nkill -9 of moorage-volplugin until the next container runs, ms: p50 {statistics.median(took):.0f}")
    print(f"  min {min(took):.0f}, max {max(took):.0f}; the start of the container is in it   goal <= 1000")
    keep("volume-restart", took)
    host.docker("rm", "-f", "after")


def _make(api: Api, driver: str, name: str, backend: str = "disk") -> None:
    options = {"backend": backend, "retain": "delete"} if driver == OURS else {}
    api.call("POST", "/volumes/create", {"Name": name, "Driver": DRIVERS[driver], "DriverOpts": options})


def _container(volume: str) -> dict[str, object]:
    return {"Image": IMAGE, "Cmd": USE, "HostConfig": {"Binds": [f"{volume}:/data"]}}


@contextmanager
def _hanging(host: Host, backend: str) -> Iterator[None]:
    """Stop each worker of a backend as soon as it comes, and have the daemon wait for it: nothing is answered there."""
    ended = threading.Event()

    def stop() -> None:
        while not ended.wait(0.02):
            for pid in _workers(host, backend):
                os.kill(pid, signal.SIGSTOP)

    stopper = threading.Thread(target=stop)
    stopper.start()
    waiting = threading.Thread(
        target=host.docker, args=("run", "--rm", "-v", "stuck:/data", IMAGE, "true"), kwargs=_LONG
    )
    waiting.start()
    try:
        yield
    finally:
        ended.set()
        stopper.join()
        for pid in _workers(host, backend):
            os.kill(pid, signal.SIGCONT)
        waiting.join()


def _workers(host: Host, backend: str = "") -> list[int]:
    """Return the worker processes, of one backend or of all, by their ids on the machine."""
    found = []
    for pid in family(host, "moorage-volplugin"):
        with contextlib.suppress(OSError):  # it has ended
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"volplugin.worker" in words and (not backend or backend.encode() in words):
                found.append(pid)
    return found
