"""A connection to the switch: what the library takes for its socket, and what our threads send by."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

HANDSHAKE = 5.0  # seconds that a switch has for it
SENDING = 10.0  # seconds that a switch may take to accept what is sent
TICK = 0.5  # seconds between looks whether to stop, on an idle connection
QUIET = 5.0  # seconds without a word from the switch, after which it is asked for one
SILENT = 15.0  # seconds without a word after which it counts as hung; to change 100,000 flows it takes 1
ECHO_REQUEST = struct.pack("!BBHI", 4, 2, 8, 0x3FFFFFFF)  # OpenFlow 1.3, OFPT_ECHO_REQUEST; an id that nobody uses


class Wire:
    """One connection.

    The library's thread reads, through eventlet's socket where there is one; everybody writes, directly and under one
    lock.  The descriptor does not block, so waiting is done with poll(2) in the writer's own thread.
    """

    def __init__(self, plain: socket.socket, green: Any, stopping: threading.Event) -> None:
        plain.setblocking(False)
        self._plain = plain
        self._green = green
        self._stopping = stopping
        self._sending = threading.Lock()
        self._deadline: float | None = time.monotonic() + HANDSHAKE
        self._heard = time.monotonic()
        self._asked = False  # for a word, since we heard one
        self._life = threading.Lock()
        self._ended = False
        self.problem: str | None = None

    def established(self, tell: Callable[[Wire], None]) -> None:
        """Note that the handshake is done, and `tell` it, unless the connection has ended meanwhile.

        The library hands its events out by a queue: this one can come after the end, which goes another way.
        """
        self._deadline = None
        with self._life:
            if not self._ended:
                tell(self)

    def finish(self) -> None:
        """Close; called by the thread that reads, after it has ended reading."""
        self.close()  # wakes a thread that waits to send, and holds the lock
        with self._life:
            self._ended = True
        with self._sending:
            if self._green is not None:
                self._green.close()
            self._plain.close()

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: the connection ended, or the switch takes nothing for `SENDING` seconds.

        """
        left = memoryview(data)
        until = time.monotonic() + SENDING
        with self._sending:
            poller = select.poll()
            poller.register(self._plain.fileno(), select.POLLOUT)
            while left:
                try:
                    left = left[self._plain.send(left) :]
                except BlockingIOError:
                    if not poller.poll(max(0.0, until - time.monotonic()) * 1000):
                        self.problem = f"the switch took nothing for {SENDING:g} s"
                        raise TimeoutError(self.problem) from None

    sendall = send

    def close(self) -> None:
        """Make the reading thread come to its end; from any thread."""
        try:
            self._plain.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has ended already
            return

    def recv(self, size: int) -> bytes:
        """Read; nothing at the end, TimeoutError (which the library takes as a reason to ask again) now and then."""
        if self._stopping.is_set():
            return b""
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.problem = f"no OpenFlow handshake within {HANDSHAKE:g} s: does ovs-vswitchd hang?"
            return b""
        if self._deadline is None and not self._alive():
            self.problem = f"the switch has been silent for {SILENT:g} s: does ovs-vswitchd hang?"
            return b""
        found = bytes(self._green.recv(size) if self._green is not None else self._recv(size))
        self._heard, self._asked = time.monotonic(), False
        return found

    def _alive(self) -> bool:
        """Whether the switch has said something lately; ask it for a word where it is quiet."""
        quiet = time.monotonic() - self._heard
        if quiet > QUIET and not self._asked and self._sending.acquire(blocking=False):
            try:
                self._asked = self._plain.send(ECHO_REQUEST) > 0  # on a Unix socket so few bytes go all or not at all
            except BlockingIOError:
                pass  # it takes nothing: that is silence too
            finally:
                self._sending.release()
        return quiet < SILENT

    def _recv(self, size: int) -> bytes:
        poller = select.poll()
        poller.register(self._plain.fileno(), select.POLLIN)
        if not poller.poll(TICK * 1000):
            raise TimeoutError
        return self._plain.recv(size)

    def setsockopt(self, *_: Any) -> None:
        """Do nothing: the library asks for TCP_NODELAY."""

    def settimeout(self, _: float) -> None:
        """Do nothing: ours are set."""

    def shutdown(self, _: int) -> None:
        """End the connection; the library asks for half of it."""
        self.close()
