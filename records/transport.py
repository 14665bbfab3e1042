"""JSON messages over one stream socket to an OVSDB server; not what they mean."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import threading
from typing import Any

CONNECT_WITHIN = 1.0  # seconds for a member to accept
SPACE = re.compile(r"\s*")
CHUNK = 1 << 18  # bytes read at once

Message = dict[str, Any]


class Lost(ConnectionError):  # what happened, not an error of anybody's
    """The connection has ended; its text says why."""


def connect(remote: str) -> socket.socket:
    """Open a stream to `unix:PATH` or `tcp:HOST:PORT`.  Raises OSError, and ValueError for any other text."""
    kind, _, rest = remote.partition(":")
    if kind == "unix" and rest:
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(CONNECT_WITHIN)
        try:
            stream.connect(rest)
        except OSError:
            stream.close()
            raise
        return stream
    host, _, port = rest.rpartition(":")
    if kind != "tcp" or not host or not port.isdecimal():
        raise ValueError(f"{remote}: a member is written unix:PATH or tcp:HOST:PORT")
    stream = socket.create_connection((host.strip("[]"), int(port)), CONNECT_WITHIN)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # transactions are small and somebody waits
    return stream


class Frames:
    """Cuts a stream of JSON objects, written one after the other without a separator, into messages."""

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder()
        self._chunks: list[bytes] = []

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that end in `data`.  Raises ValueError for bytes that are not UTF-8."""
        self._chunks.append(data)
        if not data.endswith(b"}"):  # a message may have ended before, but more is on its way
            return []
        text = b"".join(self._chunks).decode()
        messages, begin = [], 0
        while begin < len(text):
            begin = SPACE.match(text, begin).end()  # type: ignore[union-attr]  # matches everywhere
            try:
                message, begin = self._decoder.raw_decode(text, begin)
            except ValueError:  # cut within a message, after one of its inner braces
                break
            messages.append(message)
        self._chunks = [text[begin:].encode()] if begin < len(text) else []
        return messages


class Transport:
    """Sends from any thread without ever waiting for the server; receives in one."""

    def __init__(self, remote: str) -> None:
        self._socket = connect(remote)
        self._socket.setblocking(False)
        self._lock = threading.Lock()  # over the socket, so that TLS may replace it: OpenSSL's objects need that
        self._outbox = bytearray()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._frames = Frames()
        self._closed = False

    def send(self, message: Message) -> None:
        """Queue a message, and write it at once where the kernel takes it."""
        data = json.dumps(message, separators=(",", ":")).encode()
        with self._lock:
            if self._closed:
                return  # whoever waits for an answer is told by the thread that receives
            self._outbox += data
            self._flush()
            if self._outbox:
                os.eventfd_write(self._wake, 1)  # the receiver waits for room too

    def receive(self, within: float) -> list[Message] | None:
        """Wait for messages; None after `within` seconds of silence, [] where there is something else to look at.

        Raises Lost when the connection has ended.
        """
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._outbox else 0))
        events = dict(poll.poll(within * 1000))
        if not events:
            return None
        try:
            with self._lock:
                if self._wake in events:
                    os.eventfd_read(self._wake)
                self._flush()
                data = self._socket.recv(CHUNK) if events.get(self._socket.fileno(), 0) & ~select.POLLOUT else None
            if data is None:
                return []
            if not data:
                raise Lost("the server closed the connection")
            return self._frames.feed(data)
        except BlockingIOError:
            return []
        except (OSError, ValueError) as error:
            raise error if isinstance(error, Lost) else Lost(str(error)) from error

    def wake(self) -> None:
        """Make `receive` return."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._socket.close()
                os.close(self._wake)

    def _flush(self) -> None:
        while self._outbox:
            try:
                sent = self._socket.send(self._outbox)
            except BlockingIOError:
                return
            except OSError:  # the receiver meets the same, and can say so
                self._outbox.clear()
                return
            del self._outbox[:sent]
