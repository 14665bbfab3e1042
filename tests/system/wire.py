"""What is on a container's wire: frames put there as they are, and all that arrive written down."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from lab.command import wait_for
from lab.host import Host

_SEND = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((sys.argv[1], 0))
for line in sys.stdin:
    wire.send(bytes.fromhex(line))
"""
_HEAR = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((sys.argv[1], 0))
print("listening", flush=True)
while True:
    frame, (_, _, kind, *_) = wire.recvfrom(65536)
    if kind != socket.PACKET_OUTGOING:
        print(frame.hex(), flush=True)
"""


def send(host: Host, container: str, frames: Iterable[bytes], interface: str = "eth0") -> None:
    """Send frames from inside a container."""
    lines = "".join(f"{frame.hex()}\n" for frame in frames)
    host.in_netns(container, sys.executable, "-c", _SEND, interface, stdin=lines)


class Ear:
    """What a container hears."""

    def __init__(self, host: Host, name: str) -> None:
        self._log = host.log(name)
        self.name = name

    def frames(self) -> list[bytes]:
        """Return all frames heard so far."""
        return [bytes.fromhex(line) for line in self._log.read_text().split("\n")[1:-1]]

    def heard(self, mark: bytes) -> bool:
        """Return whether a frame has come that contains `mark`."""
        return mark.hex() in self._log.read_text()

    def wait(self, mark: bytes, within: float = 10) -> None:
        """Wait until a frame that contains `mark` has come."""
        wait_for(f"{self.name} to hear {mark!r}", lambda: self.heard(mark), within)


@contextmanager
def ear(host: Host, container: str, interface: str = "eth0") -> Iterator[Ear]:
    """Listen at a container's interface."""
    inside = ("nsenter", "-t", host.container_pid(container), "-n", "--")
    name = f"ear-{container}"
    host.log(name).unlink(missing_ok=True)
    process = host.spawn(name, *inside, sys.executable, "-c", _HEAR, interface)
    try:
        wait_for("ear to listen", lambda: host.log(name).read_text().startswith("listening\n"))
        yield Ear(host, name)
    finally:
        process.kill()
        del host.procs[name]
