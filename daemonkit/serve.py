"""Serves a plugin's application on a Unix socket: gunicorn as a library, one worker with threads.

The arbiter (this process) holds the socket and starts the worker anew if it dies; the worker makes the application,
and with it the loop and the connections, after the fork.  So keep what `serve`'s caller imports small: it is there
twice.  systemd: `Type=notify`, `NotifyAccess=all` (the worker says READY=1), `LISTEN_FDS` is honoured.
"""

from __future__ import annotations

import ctypes
import gc
import io
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import structlog
from gunicorn import systemd
from gunicorn.app.base import BaseApplication
from gunicorn.workers import gthread

from daemonkit.unix import TakenError, claim

if TYPE_CHECKING:
    from flask import Flask

# dockerd keeps connections for ever, and repeats a call with an empty body when one is closed under it: so do not.
KEEPALIVE = 3600  # seconds
GRACE = 1  # seconds that calls in progress have when the daemon is told to stop
LINGER = 0.2  # seconds that kept connections stay open then, for a call that is on its way
SILENCE = 0.05  # seconds that a thread waits for the first bytes of a connection; Go opens some that it never uses
SOON = 0.05  # seconds that a thread waits for its connection's next call: dockerd makes several in a row
HEARTBEAT = 60  # seconds without a sign of life from the worker's main thread until it is started anew
PR_SET_PDEATHSIG = 1  # prctl(2)

log = structlog.get_logger()


def serve(
    make_app: Callable[[], Flask],
    socket: str,
    threads: int,
    *,
    on_ready: Callable[[], None] | None = None,
    on_exit: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; does not return but by SystemExit.

    Args:
        make_app: called in the worker, on its main thread; threads may be started there.
        socket: path, made with mode 0600; ignored when systemd hands a socket over.
        threads: calls served at once.
        on_ready: called in the worker when it is about to take calls.
        on_exit: called in the worker after its last call.

    Raises:
        SystemExit: at the end; the status is not 0 where the socket is taken or `make_app` failed.

    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        try:
            claim(socket)
        except OSError as error:
            why = str(error) if isinstance(error, TakenError) else f"{socket}: {error.strerror or error}"
            log.error("cannot serve", socket=socket, reason=why)  # noqa: TRY400  # the reason says it all
            sys.exit(1)
    notify = os.environ.pop("NOTIFY_SOCKET", None)  # gunicorn would say READY before there is an application

    def ready() -> None:
        if on_ready is not None:
            on_ready()
        if notify is not None:
            os.environ["NOTIFY_SOCKET"] = notify
            systemd.sd_notify("READY=1", _Log(None))
        log.info("serving", socket=socket, pid=os.getpid())

    _Server(make_app, socket, threads, ready, on_exit).run()


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """What gunicorn asks for settings and for the application."""

    def __init__(
        self,
        make_app: Callable[[], Flask],
        socket: str,
        threads: int,
        ready: Callable[[], None],
        on_exit: Callable[[], None] | None,
    ) -> None:
        self._make_app = make_app
        self._socket = socket
        self._threads = threads
        self._ready = ready
        self._on_exit = on_exit
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"unix:{self._socket}",
            "umask": 0o177,
            "workers": 1,
            "worker_class": f"{__name__}.{_Worker.__name__}",  # gunicorn 22 takes classes by name only
            "threads": self._threads,
            "keepalive": KEEPALIVE,
            "timeout": HEARTBEAT,
            "graceful_timeout": GRACE + 1,  # the arbiter's patience with the worker; the worker's own is GRACE
            "logger_class": _Log,
            "control_socket_disable": True,  # gunicorn >= 27 would make one in the home directory
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108  # no disk in the heartbeat
            "pre_fork": lambda _arbiter, _worker: gc.freeze(),  # shared pages stay shared
            "post_fork": _die_with_arbiter,
            "post_worker_init": lambda _worker: self._ready(),
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        gc.disable()  # nothing that is imported or made now is ever garbage
        app = self._make_app()
        _warm_up(app)
        gc.freeze()
        gc.enable()
        return app

    def stopped(self) -> None:
        """Let the daemon end what it has started."""
        if self._on_exit is not None:
            self._on_exit()


def _die_with_arbiter(arbiter: Any, worker: Any) -> None:
    """End the worker with its arbiter, however that ends: else two loops would work at once after a restart."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != arbiter.pid:  # it died before we asked
        sys.exit(0)
    worker.cfg.set("graceful_timeout", GRACE)


def _warm_up(app: Flask) -> None:
    """Take one call through the application, so that Docker's first one finds everything loaded (it took 50 ms)."""
    from daemonkit.plugin import WARM_UP

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        WARM_UP: True,
    }
    for _ in app(environ, lambda _status, _headers, _error=None: lambda _: None):
        pass


class _Worker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    def handle(self, conn: Any) -> Any:
        """Serve the calls of a connection, as long as the next one comes soon; then give it back to the poller."""
        result = super().handle(conn)
        while result in (True, (True, conn)) and self.alive and _readable(conn.sock, SOON):
            result = super().handle(conn)
        return result

    def handle_request(self, req: Any, conn: Any) -> Any:
        together = _Together(conn.sock)
        kept = super().handle_request(req, SimpleNamespace(sock=together, client=conn.client, server=conn.server))
        together.send_all()
        return kept and not together.cut

    def run(self) -> None:
        # Names of newer gunicorn: how long it keeps idle connections when it stops, and threads for silent ones.
        gthread.STOP_KEEPALIVE_LINGER = LINGER
        gthread.DEFAULT_WORKER_DATA_TIMEOUT = SILENCE
        try:
            super().run()
        finally:
            self.app.stopped()


class _Together:
    """A socket to which an answer's head and body are one message: each would cost its reader a wake-up."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pieces: list[bytes] = []
        self._cut = False

    def sendall(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def send_all(self) -> None:
        if self._cut:
            self._sock.shutdown(socket.SHUT_RDWR)
        else:
            self._sock.sendall(b"".join(self._pieces))

    @property
    def cut(self) -> bool:
        """Whether the connection was ended."""
        return self._cut

    def hang_up(self) -> None:
        """End the connection instead of answering."""
        self._cut = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _readable(sock: socket.socket, within: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(within * 1000))


class _Log:
    """What gunicorn logs to: the standard library's logging, which `daemonkit.log` gives to structlog."""

    def __init__(self, _cfg: Any) -> None:
        to = logging.getLogger("gunicorn")
        to.setLevel(logging.WARNING)  # what it tells at lower levels is said better by the daemon
        self.debug, self.info, self.warning = to.debug, to.info, to.warning
        self.error, self.critical, self.exception, self.log = to.error, to.critical, to.exception, to.log

    def setup(self, _cfg: Any) -> None:
        """Do nothing: the logs are set up already."""

    def access(self, *_: Any) -> None:
        """Do nothing: calls are logged by the application."""

    def reopen_files(self) -> None:
        """Do nothing: there are none."""

    def close_on_exec(self) -> None:
        """Do nothing: there are no files."""
