"""The framework, os-ken or Ryu, behind one door: it keeps the session with the switch (handshake, echo, events).

The only module that knows either; both offer the same API under two names.  It runs in a thread of its own (and those
that os-ken's native hub starts).  Nothing is monkey-patched: on Ryu only that thread has an eventlet hub.

Known defects of the two, met here (versions: os-ken 4.2.2, ryu 4.34):

1. os-ken's native hub takes any exception of a handler for the wish to end the application's event loop, and then
   hands out no event any more, without a word: so our handlers let none out (`_guarded`).
2. There the end of a connection is never reported and leaks two threads, for its `kill` does nothing: so our
   `Datapath` has no sending thread and tells the end itself (`_serve`), keyed by connection, not by switch.
3. `hub.Event.wait` ignores its time limit there: not used.
4. Both set TCP_NODELAY on any socket, which AF_UNIX refuses: so the socket is wrapped (`wire.Wire`).
5. Their OpenFlow handler opens TCP ports 6633 and 6653: so ours does not start it (`_quiet_start`).
6. ryu imports a name that eventlet >= 0.33 lacks, and `distutils` that Python >= 3.12 lacks (`_make_ryu_importable`).
7. A thread that imports eventlet can never be joined, for eventlet makes itself a second `threading` there, whose main
   thread takes over the lock that tells the end: so the import is the business of who calls `start`.
8. Both make an object of every field of a flow's statistics, 50-80 us a flow: so the body stays bytes (`_Body`).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import socket
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable
from typing import Any, Literal

import structlog

from controller.events import Events
from controller.openflow import Refusal
from controller.wire import HANDSHAKE, TICK, Wire

Name = Literal["os_ken", "ryu"]

RETRY_FIRST, RETRY_LAST = 0.05, 0.2  # seconds between attempts: a switch that comes back forwards nothing before

log = structlog.get_logger()


class Framework:
    """Keeps a connection to one switch, for ever; tells `events` about it."""

    def __init__(self, name: Name, path: str, events: Events) -> None:
        self.name = name
        self._path = path
        self._events = events
        self._stopping = threading.Event()
        self._wire: Wire | None = None
        self._library = _Library(name)
        self._thread = threading.Thread(target=self._run, name="openflow", daemon=True)

    def start(self) -> None:
        """Begin to connect.  To be called by the main thread (7 above).

        Raises:
            ImportError: the library is not installed, or not in a version that can be used.

        """
        self._library.load()
        self._thread.start()

    def stop(self) -> None:
        """End the connection and all threads of the framework."""
        self._stopping.set()
        if (wire := self._wire) is not None:
            wire.close()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        self._library.begin(self._events)
        wait = RETRY_FIRST
        while not self._stopping.is_set():
            began = time.monotonic()
            reason = self._connect()
            self._events.disconnected(self._wire, reason)
            self._wire = None
            wait = RETRY_FIRST if time.monotonic() - began > RETRY_LAST else min(wait * 2, RETRY_LAST)
            self._library.idle(wait, self._stopping)
        self._library.close()

    def _connect(self) -> str:
        """Serve one connection to its end; return why it ended."""
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            plain.settimeout(HANDSHAKE)
            plain.connect(self._path)
        except OSError as error:
            plain.close()
            return error.strerror or str(error)
        wire = self._wire = Wire(plain, self._library.green(plain), self._stopping)
        try:
            self._library.serve(wire)
        except Exception as error:  # of the library, on input it cannot read: connect anew
            log.exception("framework failed", framework=self.name)
            return f"{self.name} failed: {error}"
        finally:
            wire.finish()
        return wire.problem or ("closed by us" if self._stopping.is_set() else "closed by the switch")


class _Body:
    """The body of flow statistics, left as it came: the library asks it how far it reaches, and that is to the end."""

    def __init__(self, entries: bytes) -> None:
        self.entries = entries
        self.length = len(entries)

    @classmethod
    def parser(cls, message: bytes, offset: int) -> _Body:
        return cls(bytes(message[offset:]))


class _Library:
    """os-ken or Ryu: loaded, and started by the thread that it is to run in."""

    def __init__(self, name: Name) -> None:
        self._name = name

    def load(self) -> None:
        """Import what is needed."""
        if self._name == "ryu":
            _make_ryu_importable()
        os.environ["OSKEN_HUB_TYPE"] = "native"  # real threads; os-ken reads it when it is imported
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # eventlet's about itself, and old spellings in ryu
            self._bricks = self._module("base.app_manager")
            self._app = self._bricks.RyuApp if self._name == "ryu" else self._bricks.OSKenApp
            self._hub = self._module("lib.hub")
            for part in ("controller.controller", "controller.ofp_handler"):
                self._module(part)
            self._eventlet = importlib.import_module("eventlet.greenio") if self._name == "ryu" else None

    def begin(self, events: Events) -> None:
        """Start the library's applications and ours."""
        self._module("controller.controller").CONF(args=[], project="moorage", default_config_files=[])
        parser = self._module("ofproto.ofproto_v1_3_parser")
        parser.OFPFlowStatsReply.cls_stats_body_cls = parser.OFPMeterConfigStatsReply.cls_stats_body_cls = _Body
        manager = self._bricks.AppManager()
        self._apps = [manager.instantiate(kind) for kind in (self._handler_class(), self._app_class(events))]
        for app in self._apps:
            app.start()
        self._datapath = self._datapath_class()

    def _module(self, path: str) -> Any:
        return importlib.import_module(f"{self._name}.{path}")

    def green(self, plain: socket.socket) -> Any:
        """Return the socket that this thread must read by, or None for the plain one."""
        if self._eventlet is None:
            return None
        green = self._eventlet.GreenSocket(plain)
        green.settimeout(TICK)
        return green

    def serve(self, wire: Wire) -> None:
        """Speak OpenFlow on a connection until it ends."""
        self._datapath(wire, ("moorage", 0)).serve()

    def idle(self, seconds: float, stopping: threading.Event) -> None:
        """Wait, letting the library's other threads of execution run."""
        if not stopping.is_set():
            self._hub.sleep(seconds)

    def close(self) -> None:
        """End what was started."""
        for app in self._apps:
            app.stop()
            self._bricks.unregister_app(app)

    def _datapath_class(self) -> Any:
        dead = self._module("controller.handler").DEAD_DISPATCHER

        class Datapath(self._module("controller.controller").Datapath):  # type: ignore[misc]
            """The library's connection without its threads: what is sent goes out at once."""

            def __init__(self, wire: Wire, address: tuple[str, int]) -> None:
                super().__init__(wire, address)
                self.xid = 0  # not random: ours (session._XIDS) begin far above

            def send(self, data: bytes, close_socket: bool = False) -> bool:  # noqa: FBT001, FBT002  # theirs
                self.socket.send(bytes(data))
                if close_socket:
                    self.socket.close()
                return True

            def serve(self) -> None:
                try:
                    self.send_msg(self.ofproto_parser.OFPHello(self))
                    self._recv_loop()
                finally:
                    self.is_active = False
                    self.state = dead

        return Datapath

    def _handler_class(self) -> Any:
        app: Any = self._app

        class Handler(self._module("controller.ofp_handler").OFPHandler):  # type: ignore[misc]
            """The library's handshake and echo, without the TCP ports that it would listen on."""

            def start(self) -> None:
                app.start(self)

        return Handler

    def _app_class(self, events: Events) -> Any:
        app: Any = self._app
        event, main = self._module("controller.ofp_event"), self._module("controller.handler").MAIN_DISPATCHER
        protocol = self._module("ofproto.ofproto_v1_3")

        def on(*names: str) -> Callable[[Callable[[Any, Any], None]], Callable[[Any, Any], None]]:
            def mark(handler: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
                marked: Callable[[Any, Any], None] = self._module("controller.handler").set_ev_cls(
                    [getattr(event, f"EventOFP{name}") for name in names], [main]
                )(_guarded(handler))
                return marked

            return mark

        class Moorage(app):  # type: ignore[misc]
            """The application: gives what the switch says to `events`."""

            OFP_VERSIONS = (protocol.OFP_VERSION,)

            @on("StateChange")
            def handshaken(self, ev: Any) -> None:
                ev.datapath.socket.established(events.connected)

            @on("BarrierReply")
            def barrier(self, ev: Any) -> None:
                events.barrier(ev.msg.datapath.socket, ev.msg.xid)

            @on("ErrorMsg")
            def error(self, ev: Any) -> None:
                code = ev.msg.exp_type if ev.msg.type == 0xFFFF else ev.msg.code
                events.refused(ev.msg.datapath.socket, ev.msg.xid, Refusal(ev.msg.type, code))

            @on("FlowStatsReply", "MeterConfigStatsReply")
            def statistics(self, ev: Any) -> None:
                entries = b"".join(body.entries for body in ev.msg.body)
                events.statistics(
                    ev.msg.datapath.socket, ev.msg.xid, entries, more=bool(ev.msg.flags & protocol.OFPMPF_REPLY_MORE)
                )

            @on("PortDescStatsReply")
            def ports(self, ev: Any) -> None:
                ports = {_text(port.name): port.port_no for port in ev.msg.body}
                events.ports_listed(ev.msg.datapath.socket, ports, more=bool(ev.msg.flags & protocol.OFPMPF_REPLY_MORE))

            @on("PortStatus")
            def port(self, ev: Any) -> None:
                gone = ev.msg.reason == protocol.OFPPR_DELETE
                number = None if gone else ev.msg.desc.port_no
                events.port_changed(ev.msg.datapath.socket, _text(ev.msg.desc.name), number)

        return Moorage


def _guarded(handler: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    @functools.wraps(handler)
    def guarded(app: Any, ev: Any) -> None:
        try:
            handler(app, ev)
        except Exception:  # one handler's fault must not end all of them
            log.exception("handler failed", handler=handler.__name__)

    return guarded


def _text(name: bytes | str) -> str:
    return name.rstrip(b"\0").decode(errors="replace") if isinstance(name, bytes) else name


def _make_ryu_importable() -> None:
    """Give ryu 4.34 (of 2020) the two names that it expects and that are gone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import eventlet.wsgi
    if not hasattr(eventlet.wsgi, "ALREADY_HANDLED"):
        local = getattr(eventlet.wsgi, "WSGI_LOCAL", None)
        eventlet.wsgi.ALREADY_HANDLED = getattr(local, "already_handled", None) or object()
    if importlib.util.find_spec("distutils") is None:
        from packaging.version import Version

        package, module = types.ModuleType("distutils"), types.ModuleType("distutils.version")
        module.LooseVersion = module.StrictVersion = Version  # type: ignore[attr-defined]
        package.version = module  # type: ignore[attr-defined]
        sys.modules |= {"distutils": package, "distutils.version": module}
