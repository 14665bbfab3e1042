"""Calls of a server's remote procedures (ONC RPC, RFC 5531) over TCP, as NFS and its companions speak them."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
from types import TracebackType
from typing import Self

RESERVED = range(665, 1024)  # source ports: an export may be for root only, who alone can have these
LAST_FRAGMENT = 0x80000000
LARGEST = 1 << 20  # bytes of an answer; a list of exports is shorter
REJECTED, PROG_UNAVAIL, PROG_MISMATCH = 1, 1, 2  # RFC 5531 section 9
AUTH_SYS = 1
GETPORT, PORTMAPPER, PORTMAPPER_PORT, TCP = 3, 100000, 111, 6  # RFC 1833 section 3


class RpcError(Exception):
    """The server does not do what was called; the text says why."""


class NotServed(RpcError):
    """It has no such program, or not in this version; `lowest` to `highest` are those it has, if it has any."""

    def __init__(self, lowest: int = 0, highest: int = 0) -> None:
        super().__init__(f"the program is there in versions {lowest} to {highest}" if highest else "no such program")
        self.lowest = lowest
        self.highest = highest


class Caller:
    """A connection to one port of a server; a `with` statement ends it."""

    def __init__(self, address: str, port: int, within: float) -> None:
        """Connect; every wait is at most `within` seconds.  Raises OSError."""
        self._socket = _connect(address, port, within)

    @property
    def seen_from(self) -> str:
        """This host's address, as the server sees it unless addresses are translated on the way."""
        return str(self._socket.getsockname()[0])

    def call(self, program: int, version: int, procedure: int, body: bytes = b"") -> Reader:
        """Call as root of this host and return the answer.

        Raises:
            NotServed: there is no such program or version.
            RpcError: the call was rejected, or the answer makes no sense.
            OSError: the connection broke, or nothing came in time.

        """
        number = random.getrandbits(32)  # tells answers apart, no secret
        name = socket.gethostname().encode()[:255]
        identity = uint(0) + opaque(name) + uint(0, 0, 0)  # RFC 5531 appendix A: stamp, host, uid, gid, no other groups
        head = uint(number, 0, 2, program, version, procedure, AUTH_SYS) + opaque(identity) + uint(0, 0)
        self._socket.sendall(uint(LAST_FRAGMENT | len(head) + len(body)) + head + body)
        answer = Reader(self._receive())
        if answer.uint() != number or answer.uint() != 1:
            raise RpcError("the answer is to another call")
        if answer.uint() == REJECTED:
            raise RpcError("the server rejects this host's identity (AUTH_SYS)")
        answer.uint()
        answer.opaque()  # verifier
        if status := answer.uint():
            raise NotServed(*answer.uints(2)) if status == PROG_MISMATCH else _failed(status)
        return answer

    def _receive(self) -> bytes:
        record = b""
        while True:
            mark = Reader(self._exactly(4)).uint()
            if len(record) + (mark & ~LAST_FRAGMENT) > LARGEST:
                raise RpcError("the answer is no RPC")
            record += self._exactly(mark & ~LAST_FRAGMENT)
            if mark & LAST_FRAGMENT:
                return record

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            if not (part := self._socket.recv(size - len(got))):
                raise ConnectionResetError("the server closed the connection")
            got += part
        return got

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


class Reader:
    """Takes apart an answer (XDR, RFC 4506)."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def uint(self) -> int:
        """Take a number."""
        return self.uints(1)[0]

    def uints(self, count: int) -> tuple[int, ...]:
        """Take numbers."""
        return struct.unpack(f">{count}I", self._take(4 * count))

    def opaque(self) -> bytes:
        """Take bytes of any length."""
        size = self.uint()
        return self._take(size + -size % 4)[:size]

    def _take(self, size: int) -> bytes:
        if size > len(self._data):
            raise RpcError("the answer is too short")
        taken, self._data = self._data[:size], self._data[size:]
        return taken


def uint(*numbers: int) -> bytes:
    """Return numbers as XDR has them."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def opaque(data: bytes) -> bytes:
    """Return bytes, or a string, as XDR has them."""
    return uint(len(data)) + data + bytes(-len(data) % 4)


def port_of(address: str, program: int, version: int, within: float) -> int:
    """Ask the server's rpcbind on which TCP port a program is; 0 where it is not registered.

    Raises:
        RpcError, OSError: rpcbind does not answer.

    """
    with Caller(address, PORTMAPPER_PORT, within) as rpcbind:
        return rpcbind.call(PORTMAPPER, 2, GETPORT, uint(program, version, TCP, 0)).uint()


def _failed(status: int) -> RpcError:
    return NotServed() if status == PROG_UNAVAIL else RpcError(f"the server cannot do it (RPC status {status})")


def _connect(address: str, port: int, within: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(within)
        if os.geteuid() == 0:
            for source in random.sample(RESERVED, 20):
                with contextlib.suppress(OSError):  # in use: another one
                    connection.bind(("", source))
                    break
        connection.connect((address, port))
    except BaseException:
        connection.close()
        raise
    return connection
