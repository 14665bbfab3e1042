"""Questions to `ovs-vswitchd` over its control socket, as `ovs-appctl` asks them (ovs `Documentation/ref`: unixctl)."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.tracing.facts import CannotLook

WITHIN = 5.0  # seconds for an answer; it comes in a millisecond
CHUNK = 65536  # bytes

_BRIDGE = re.compile(r"^  (\S+):$")
_PORT = re.compile(r"^    (\S+) (\d+)/(\d+|none):")


class Switch:
    """The bridge of this host."""

    def __init__(self, rundir: str, bridge: str) -> None:
        self._rundir = Path(rundir)
        self._bridge = bridge

    def trace(self, flow: str) -> str:
        """Return what would be done with a packet.  Raises CannotLook."""
        return self._ask("ofproto/trace", self._bridge, flow)

    def ports(self) -> Mapping[str, int | None]:
        """Return the ports of the bridge; empty where there is no such bridge.  Raises CannotLook."""
        return ports(self._ask("dpif/show"), self._bridge)

    def _ask(self, command: str, *arguments: str) -> str:
        path = self._control()
        try:
            with socket.socket(socket.AF_UNIX) as stream:
                stream.settimeout(WITHIN)
                stream.connect(str(path))
                stream.sendall(json.dumps({"id": 0, "method": command, "params": arguments}).encode())
                answer = _receive(stream)
        except OSError as error:
            raise CannotLook(f"Open vSwitch does not answer at {path}: {error}; is ovs-vswitchd running?") from error
        if answer.get("error"):
            raise CannotLook(f"Open vSwitch refuses {command}: {str(answer['error']).strip()}")
        return str(answer.get("result") or "")

    def _control(self) -> Path:
        """Return the control socket: its name has the process's id unless it was started with another."""
        try:
            pid = (self._rundir / "ovs-vswitchd.pid").read_text().strip()
        except OSError:
            pid = ""
        for path in (self._rundir / f"ovs-vswitchd.{pid}.ctl", self._rundir / "ovs-vswitchd.ctl"):
            if path.exists():
                return path
        raise CannotLook(f"ovs-vswitchd has no control socket in {self._rundir}: is it running?")


def _receive(stream: socket.socket) -> dict[str, Any]:
    until, data = time.monotonic() + WITHIN, b""
    while time.monotonic() < until:
        part = stream.recv(CHUNK)
        if not part:
            raise ConnectionError("it closed the connection")
        data += part
        try:
            answer = json.loads(data)
        except ValueError:  # not yet whole
            continue
        if isinstance(answer, dict):
            return answer
    raise TimeoutError(f"no whole answer within {WITHIN:g} s")


def ports(shown: str, bridge: str) -> dict[str, int | None]:
    """Return the ports of a bridge that `dpif/show` tells, by name."""
    found: dict[str, int | None] = {}
    here = False
    for line in shown.splitlines():
        if (begun := _BRIDGE.match(line)) is not None:
            here = begun[1] == bridge
        elif here and (port := _PORT.match(line)) is not None:
            found[port[1]] = None if port[3] == "none" else int(port[2])
    return found
