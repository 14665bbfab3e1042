"""Words for tests that restart parts of a host."""

from __future__ import annotations

import json
import signal

from lab.command import wait_for
from lab.host import Host
from lab.traces import ids

STARTS = {
    "moorage-netplugin": Host.start_netplugin,
    "moorage-volplugin": Host.start_volplugin,
    "moorage-controller": Host.start_controller,
    "moorage-db": Host.start_db,
    "ovs-vswitchd": Host.start_vswitchd,
    "ovsdb-server": Host.start_ovsdb,
    "dockerd": Host.start_docker,
}


def restart(host: Host, daemon: str, number: signal.Signals) -> None:
    """End a daemon and start it again."""
    end(host, daemon, number)
    STARTS[daemon](host)


def end(host: Host, daemon: str, number: signal.Signals) -> None:
    process = host.procs[daemon]
    process.signal(number)
    wait_for(f"{daemon} to end", lambda: not process.alive(), 30)


def live_restore(host: Host, *, on: bool) -> None:
    """Let dockerd leave the containers running when it ends, from now on."""
    host.path("/etc/docker/daemon.json").write_text(json.dumps({"live-restore": on}))
    host.procs["dockerd"].signal(signal.SIGHUP)
    wait_for("dockerd to know", lambda: str(on).lower() in host.docker("info", "-f", "{{.LiveRestoreEnabled}}"))


def count(host: Host, table: str) -> int:
    """Return how many records there are of a kind."""
    return len(ids(host, table))
