"""Brings to a container what the host asks of a published port by [::1], which no rule can.

The kernel takes no packet for a loopback address from another interface, nor has it for IPv6 the exception that it has
for IPv4 (route_localnet): a translated question goes out, but its answer never comes back in.  So what reaches the
port's own socket, which nothing but [::1] does while the rules are there, is copied in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

import structlog

log = structlog.get_logger()

CHUNK = 65536  # bytes copied at a time
CONNECT_WITHIN = 10.0  # seconds for the container to take a connection
IDLE = 90.0  # seconds after which a silent UDP client is forgotten, as docker-proxy does (UDPConnTrackTimeout)
CLIENTS = 1024  # UDP clients of one port at a time; all are programs of this host
CLOSED_WITHIN = 5.0  # seconds to take a socket out of the thread

Target: TypeAlias = tuple[str, int]
Close: TypeAlias = Callable[[], None]


class Relay:
    """One thread for all ports; it is started with the first."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve(self, sock: socket.socket, target: Target) -> Close:
        """Copy between the clients of a bound socket and `target`; return what ends that and closes the socket."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="relay", daemon=True).start()
        begin = _tcp if sock.type == socket.SOCK_STREAM else _udp
        end = asyncio.run_coroutine_threadsafe(begin(sock, target), self._loop).result(CLOSED_WITHIN)
        return partial(_end, end, self._loop)


def _end(end: Close, loop: asyncio.AbstractEventLoop) -> None:
    async def ended() -> None:
        end()
        await asyncio.sleep(0)  # a UDP socket is closed in the next round

    asyncio.run_coroutine_threadsafe(ended(), loop).result(CLOSED_WITHIN)


async def _tcp(sock: socket.socket, target: Target) -> Close:
    server = await asyncio.start_server(partial(_connected, target), sock=sock)
    return server.close


async def _connected(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            there, back = await asyncio.open_connection(*target)
    except OSError as error:
        log.debug("relay: no connection", target=target, reason=str(error) or type(error).__name__)
        writer.transport.abort()  # the client sees a reset, as it would from the container
        return
    await asyncio.gather(_copy(reader, back), _copy(there, writer))
    for end in (writer, back):
        end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end, and pass that on; the other direction may go on."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
        return
    writer.transport.abort()


async def _udp(sock: socket.socket, target: Target) -> Close:
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(partial(_Clients, target), sock=sock)
    return transport.close


class _Clients(asyncio.DatagramProtocol):
    """The clients of one UDP port, each with a socket of its own towards the container."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._ways: dict[Any, _Way] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        for way in list(self._ways.values()):
            way.end()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if (way := self._ways.get(addr)) is not None:
            way.send(data)
        elif len(self._ways) < CLIENTS:
            way = self._ways[addr] = _Way(partial(self._answer, addr), partial(self._ways.pop, addr, None))
            self._start(way.open(self._target, data))

    def _answer(self, client: Any, data: bytes) -> None:
        self._transport.sendto(data, client)  # type: ignore[attr-defined]  # a DatagramTransport

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # the event loop itself keeps only weak references
        task.add_done_callback(self._tasks.discard)


class _Way(asyncio.DatagramProtocol):
    """From one client to the container and back; ends when both are silent."""

    def __init__(self, answer: Callable[[bytes], None], forget: Callable[[], object]) -> None:
        self._answer = answer
        self._forget = forget
        self._transport: asyncio.DatagramTransport | None = None
        self._first: list[bytes] = []  # what came before the socket was there
        self._timer: asyncio.TimerHandle | None = None

    async def open(self, target: Target, data: bytes) -> None:
        self._first.append(data)
        try:
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, remote_addr=target)
        except OSError as error:
            log.debug("relay: no way", target=target, reason=str(error))
            self.end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a datagram endpoint
        for data in self._first:
            self.send(data)

    def send(self, data: bytes) -> None:
        if self._transport is None:
            self._first.append(data)
        else:
            self._wait()
            self._transport.sendto(data)

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002
        self._wait()
        self._answer(data)

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002  # nobody listens in the container now
        self._wait()

    def end(self) -> None:
        self._forget()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE, self.end)
