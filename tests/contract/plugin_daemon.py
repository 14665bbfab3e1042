"""A daemon made of the kit and nothing else, for the contract tests to start, call and kill."""

import os
import sys
import time
from typing import TYPE_CHECKING

from daemonkit import log
from daemonkit.serve import serve
from daemonkit.wire import Wire

if TYPE_CHECKING:
    from flask import Flask, Response


class Join(Wire, frozen=True, kw_only=True):
    network_id: str
    seconds: float = 0.0


def make_app() -> "Flask":
    from flask import Blueprint

    from daemonkit.errors import NotFound
    from daemonkit.metrics import Metrics
    from daemonkit.plugin import create_app, decode, reply

    if os.environ.get("FAIL"):
        raise RuntimeError(os.environ["FAIL"])
    driver = Blueprint("driver", __name__)

    @driver.post("/NetworkDriver.Join")
    def join() -> "Response":
        request = decode(Join)
        time.sleep(request.seconds)  # stands for the work of a call
        if request.network_id == "unknown":
            raise NotFound("network", request.network_id)
        if request.network_id == "bug":
            raise ZeroDivisionError
        return reply({"NetworkID": request.network_id, "Pid": os.getpid()})

    metrics = Metrics("test", "0")

    @driver.post("/NetworkDriver.About")
    def about() -> "Response":
        return reply({**metrics.about(), "processes": list(metrics.processes)})

    return create_app("moorage-test", ["NetworkDriver", "IpamDriver"], [driver], metrics)


def say(word: str) -> None:
    sys.stdout.write(f"{word} {os.getpid()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    log.configure("info", "json", "test")
    serve(
        make_app,
        sys.argv[1],
        threads=8,
        on_ready=lambda: say("ready"),
        on_exit=lambda: say("exit"),
    )
