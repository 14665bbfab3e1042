"""netplugin is killed at every single effect of starting a container; the user repeats the command, and all is well."""

import socket
import sys
from pathlib import Path

import pytest

from lab.command import CommandFailed, wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.moorage import CHECKOUT
from tests.system.steps import SLEEP, lost, network, nothing_left

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

ORDER = "/run/moorage/die-at"
LAUNCHER = Path(__file__).with_name("dying_netplugin.py")
STEPS_AT_MOST = 60  # a run has about 30: far more would mean that the count never ends


def start_mortal(host: Host) -> None:
    """Replace netplugin by one that dies on order."""
    host.configure({"netplugin": {"forget_after": 1.0}})
    host.procs["moorage-netplugin"].stop()
    socket_path = host.path("/run/docker/plugins/moorage-net.sock")
    host.spawn("moorage-netplugin", sys.executable, LAUNCHER, ORDER, env={"PYTHONPATH": str(CHECKOUT)})

    def accepts() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(socket_path))
        return True

    wait_for("netplugin", accepts, 20)


def order(host: Host, number: int) -> None:
    """Let netplugin die at this effect; the order appears whole, as effects may be going on already."""
    draft = host.path(f"{ORDER}.draft")
    draft.write_text(str(number))
    draft.rename(host.path(ORDER))


def run(host: Host) -> bool:
    """Start a container as a user does; return whether it started."""
    try:
        host.docker("run", "-d", "--name", "web2", "--network", "web", IMAGE, *SLEEP, timeout=120)
    except CommandFailed:
        host.docker("rm", "-f", "web2", timeout=120)
        return False
    return True


def test_a_kill_at_any_effect_loses_nothing_and_the_repeated_command_succeeds(host: Host) -> None:
    start_mortal(host)
    network(host, "web")
    host.docker("run", "-d", "--name", "web1", "--network", "web", "--ip", "10.1.0.10", IMAGE, *SLEEP)
    died = 0
    for number in range(STEPS_AT_MOST):
        order(host, number)
        started = run(host) or run(host)

        assert started, f"killed at effect {number}: the repeated command failed too"
        assert 0 == lost(host, "web2", "10.1.0.10", count=3), f"killed at effect {number}"

        host.docker("rm", "-f", "web2", timeout=120)
        if host.path(ORDER).exists():  # more effects were ordered than there are
            host.path(ORDER).unlink()
            break
        died += 1

    assert 10 <= died < STEPS_AT_MOST

    host.docker("rm", "-f", "web1", timeout=120)
    host.docker("network", "rm", "web", timeout=120)
    nothing_left(host, within=30)
