"""The daemon's own small socket: `GET /status` (JSON), `/metrics` (Prometheus), `/health`; and its client."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import structlog

from daemonkit.metrics import Metrics
from daemonkit.unix import claim

IDLE = 10.0  # seconds that a connection may take to ask
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes of a status that a client takes

log = structlog.get_logger()


class NotRunningError(Exception):
    """No daemon answers at that socket; the text says why, in words for the operator."""


class AdminServer:
    """Serves the figures of this process from a thread of its own; root only (mode 0600).

    `status` tells what is special to the daemon; what every daemon tells (`Metrics.about`) is added.
    """

    def __init__(self, path: str, status: Callable[[], Mapping[str, Any]], metrics: Metrics) -> None:
        self._path = path
        self._status = status
        self._metrics = metrics
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Bind and begin to answer.

        Raises:
            OSError: the path is served by another process, or cannot be made.

        """
        claim(self._path)
        self._server = _Server(self._path, self._answer)
        self._thread = threading.Thread(target=self._server.serve_forever, name="admin", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and remove the socket."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            Path(self._path).unlink(missing_ok=True)
            self._server = self._thread = None

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        match path:
            case "/status":
                return (
                    200,
                    "application/json",
                    msgspec.json.encode({**self._metrics.about(), **self._status()}, enc_hook=str),
                )
            case "/metrics":
                return 200, "text/plain; version=0.0.4; charset=utf-8", self._metrics.text()
            case "/health":
                return 200, "text/plain", b"ok\n"
            case _:
                return 404, "text/plain", b"there are /status, /metrics and /health\n"


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, answer: Callable[[str], tuple[int, str, bytes]]) -> None:
        self.answer = answer
        super().__init__(path, _Request)

    def server_bind(self) -> None:
        super().server_bind()
        Path(str(self.server_address)).chmod(0o600)  # before listen(): nobody can have connected

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        log.debug("admin connection broke", reason=str(sys.exception()))


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = IDLE

    def do_GET(self) -> None:
        try:
            code, kind, body = self.server.answer(self.path.partition("?")[0])
        except Exception as error:  # what is broken is told to the asker, not to the thread
            log.exception("status failed", path=self.path)
            code, kind, body = 500, "text/plain", f"{type(error).__name__}: {error}\n".encode()
        self.send_response_only(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def fetch_status(path: str, within: float = 1.0) -> dict[str, Any]:
    """Return what the daemon at `path` says of itself.

    Raises:
        NotRunningError: nobody listens, nobody answers within `within` seconds, or the answer is no status.

    """
    try:
        answer = _fetch(path, b"GET /status HTTP/1.0\r\n\r\n", time.monotonic() + within)
    except FileNotFoundError as error:
        raise NotRunningError("not running") from error
    except ConnectionRefusedError as error:
        raise NotRunningError("not running (it left its socket behind)") from error
    except TimeoutError as error:
        raise NotRunningError(f"no answer within {within:g} s") from error
    except OSError as error:
        raise NotRunningError(f"cannot be asked: {error.strerror or error}") from error
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0] + b" ":
        raise NotRunningError(f"status failed: {body.decode(errors='replace').strip()}")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise NotRunningError("its answer is no status") from error


def _fetch(path: str, request: bytes, until: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        parts: list[bytes] = []
        connection.settimeout(max(0.001, until - time.monotonic()))
        connection.connect(path)
        connection.sendall(request)
        while sum(map(len, parts)) < ANSWER_LIMIT:
            connection.settimeout(max(0.001, until - time.monotonic()))
            part = connection.recv(65536)
            if not part:
                break
            parts.append(part)
            if time.monotonic() > until:
                raise TimeoutError
        return b"".join(parts)
