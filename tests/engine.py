"""A small server on a real Unix socket that answers as Docker's API does."""

from __future__ import annotations

import contextlib
import http.server
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A dockerd that knows nothing but its `answers`, and keeps what was `seen`: paths and Host headers."""

    daemon_threads = True
    answers: dict[str, tuple[int, bytes]]
    seen: list[tuple[str, str]]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Host"]))
        status, body = self.server.answers.get(self.path, (404, b'{"message":"network not found"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's signature
        """Say nothing."""


@contextlib.contextmanager
def running(socket: Path) -> Iterator[Engine]:
    """Serve at `socket`."""
    with Engine(str(socket), Handler) as server:
        server.answers, server.seen = {}, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
