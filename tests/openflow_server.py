"""The least of an OpenFlow 1.3 switch, on a Unix socket, that can be made to misbehave."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

_header = struct.Struct("!BBHI")
HELLO, ERROR, ECHO, ECHO_REPLY, FEATURES, FEATURES_REPLY = 0, 1, 2, 3, 5, 6
PORT_STATUS, MULTIPART, MULTIPART_REPLY, BARRIER, BARRIER_REPLY = 12, 18, 19, 20, 21
PORT_DESC, EXPERIMENTER, PACKET_OUT = 13, 4, 13


def message(kind: int, body: bytes = b"", xid: int = 0) -> bytes:
    return _header.pack(4, kind, 8 + len(body), xid) + body


def port(name: str, number: int) -> bytes:
    return struct.pack("!I4x6s2x16sIIIIIIII", number, b"\2" * 6, name.encode(), *[0] * 8)


class Connection:
    """One accepted connection, served by a thread."""

    def __init__(self, server: OpenFlowServer, peer: socket.socket) -> None:
        self.server = server
        self.peer = peer
        self.received: list[int] = []  # types
        self.thread = threading.Thread(target=self._serve, daemon=True)
        server.connections.append(self)  # before it can be answered on
        self.thread.start()

    def send(self, data: bytes) -> None:
        self.peer.sendall(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.peer.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self.peer:
            buffer = b""
            while part := self.peer.recv(65536):
                buffer += part
                while len(buffer) >= 8 and len(buffer) >= (length := _header.unpack_from(buffer)[2]):
                    _, kind, _, xid = _header.unpack_from(buffer)
                    self.received.append(kind)
                    self.server.answer(self, kind, xid, buffer[8:length])
                    buffer = buffer[length:]


class OpenFlowServer:
    """Listens at `path`; `answer` may be replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections: list[Connection] = []
        self.ports: dict[str, int] = {"moorage0": 0xFFFFFFFE}
        self.shows: dict[int, bytes] = {}  # statistics by their type; none of the others
        self.answer: Callable[[Connection, int, int, bytes], None] = self.usual
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def usual(self, connection: Connection, kind: int, xid: int, body: bytes) -> None:
        """Answer as a switch does."""
        match kind:
            case 0:
                connection.send(message(HELLO, xid=xid))
            case 2:
                connection.send(message(ECHO_REPLY, body, xid))
            case 5:
                connection.send(message(FEATURES_REPLY, struct.pack("!QIBB2xII", 0xABC, 0, 254, 0, 0, 0), xid))
            case 18 if struct.unpack_from("!H", body)[0] == PORT_DESC:
                ports = b"".join(port(name, number) for name, number in self.ports.items())
                connection.send(message(MULTIPART_REPLY, struct.pack("!HH4x", PORT_DESC, 0) + ports, xid))
            case 18:
                kind = struct.unpack_from("!H", body)[0]
                connection.send(
                    message(MULTIPART_REPLY, struct.pack("!HH4x", kind, 0) + self.shows.get(kind, b""), xid)
                )
            case 20:
                connection.send(message(BARRIER_REPLY, xid=xid))

    def last(self) -> Connection:
        return self.connections[-1]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            connection.close()
            connection.thread.join()
        self._thread.join()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                Connection(self, peer)
