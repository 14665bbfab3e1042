"""Both frameworks keep the session, and none of their known defects reaches us."""

from __future__ import annotations

import contextlib
import importlib
import re
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller import wire
from controller.events import Link
from controller.framework import Framework, Name
from controller.meter import Command, meter
from controller.session import DisconnectedError, Session
from tests import openflow_server as of
from tests.openflow_server import Connection, OpenFlowServer, message
from tests.switch import eventually

METER_CONFIG, METER_MOD = 10, 29


@pytest.fixture(params=["os_ken", "ryu"])
def name(request: pytest.FixtureRequest) -> Name:
    framework: Name = request.param
    return framework


@pytest.fixture
def server() -> Iterator[OpenFlowServer]:
    with tempfile.TemporaryDirectory() as directory:  # pytest's own are too long for a socket's address
        one = OpenFlowServer(Path(directory) / "m.mgmt")
        yield one
        one.close()


@contextlib.contextmanager
def running(name: Name, path: Path, session: Session) -> Iterator[Framework]:
    framework = Framework(name, str(path), session)
    framework.start()
    try:
        yield framework
    finally:
        framework.stop()


@pytest.fixture
def session(name: Name, server: OpenFlowServer, told: list[str | None]) -> Iterator[Session]:
    """A session with the server."""
    before = set(threading.enumerate())
    one = Session(str(server.path), ported=told.append)
    with running(name, server.path, one):
        eventually(lambda: one.listed)
        yield one
    eventually(lambda: not [t for t in set(threading.enumerate()) - before if not t.daemon])


def test_the_handshake_leads_to_a_session_with_ports(session: Session) -> None:
    assert session.problem() is None
    assert session.ports() == {"moorage0": 0xFFFFFFFE}


def test_requests_are_answered(session: Session) -> None:
    assert session.dump(0, 0) == []
    assert session.bundle([]) == {}


def test_meters_are_told(session: Session, server: OpenFlowServer) -> None:
    assert session.meters() == []
    limit = meter(0x10005, 2_000)
    server.shows[METER_CONFIG] = struct.pack("!HHIHHIIxxxx", 24, 5, *limit[:1], 1, 16, *limit[1:]) * 2

    assert session.meters() == [limit, limit]
    assert session.change_meters([(Command.ADD, limit), (Command.DELETE, limit)]) == {}
    assert server.last().received[-3:] == [METER_MOD, METER_MOD, of.BARRIER]


def test_echo_is_answered(session: Session, server: OpenFlowServer) -> None:
    server.last().send(message(of.ECHO, b"hello", 5))

    eventually(lambda: of.ECHO_REPLY in server.last().received)


def test_ports_that_come_and_go_are_told(session: Session, server: OpenFlowServer, told: list[str | None]) -> None:
    for reason in (0, 2, 1):  # added, changed, deleted
        server.last().send(message(of.PORT_STATUS, struct.pack("!B7x", reason) + of.port("mv1", 5)))
    server.last().send(message(of.PORT_STATUS, struct.pack("!B7x", 0) + of.port("mv2", 6)))

    eventually(lambda: "mv2" in told)
    assert told[-4:] == ["mv1", "mv1", "mv1", "mv2"]
    assert session.ports() == {"moorage0": 0xFFFFFFFE, "mv2": 6}


def test_many_ports_are_listed_in_several_parts(session: Session, server: OpenFlowServer) -> None:
    def in_parts(connection: Connection, kind: int, xid: int, body: bytes) -> None:
        if kind == of.MULTIPART and struct.unpack_from("!H", body)[0] == of.PORT_DESC:
            for more, number in ((1, 5), (1, 6), (0, 7)):
                head = struct.pack("!HH4x", of.PORT_DESC, more)
                connection.send(message(of.MULTIPART_REPLY, head + of.port(f"mv{number}", number), xid))
        else:
            server.usual(connection, kind, xid, body)

    server.answer = in_parts
    server.last().close()

    eventually(lambda: session.ports() == {"mv5": 5, "mv6": 6, "mv7": 7})


def test_errors_are_told_with_the_place_of_the_flow(session: Session, server: OpenFlowServer) -> None:
    def refuse(connection: Connection, kind: int, xid: int, body: bytes) -> None:
        if kind == 4 and struct.unpack_from("!I", body, 4)[0] == 2301:  # a flow-mod in its bundle
            connection.send(message(of.ERROR, struct.pack("!HH", 4, 9) + bytes(8), xid))
        server.usual(connection, kind, xid, body)

    server.answer = refuse

    assert session.bundle([bytes(48), bytes(48)])[1].text == "bad match (type 4, code 9)"


def test_an_error_of_an_extension_is_told(session: Session, server: OpenFlowServer) -> None:
    def refuse(connection: Connection, kind: int, xid: int, body: bytes) -> None:
        if kind == 4:
            connection.send(message(of.ERROR, struct.pack("!HHI", 0xFFFF, 2315, 0x4F4E4600) + bytes(8), xid))
        server.usual(connection, kind, xid, body)

    server.answer = refuse

    assert session.bundle([])[0].text == "error of an extension (type 65535, code 2315)"


def test_every_end_of_a_connection_is_told_and_costs_no_thread(session: Session, server: OpenFlowServer) -> None:
    counts: list[int] = []
    for number in range(2, 6):
        server.last().close()
        eventually(lambda: session.connections == number and session.listed)  # noqa: B023
        eventually(lambda: sum(c.thread.is_alive() for c in server.connections) == 1)
        counts.append(threading.active_count())

    assert counts == [counts[0]] * len(counts)


def test_a_request_does_not_outlive_its_connection(session: Session, server: OpenFlowServer) -> None:
    server.answer = lambda connection, *_: connection.close()

    with pytest.raises(DisconnectedError, match="closed by the switch"):
        session.dump(0, 0)


def test_what_goes_wrong_in_a_handler_ends_no_others(name: Name, server: OpenFlowServer) -> None:
    class Clumsy(Session):
        stumbled = 0

        def barrier(self, link: Link, xid: int) -> None:
            if self.stumbled < 3:
                self.stumbled += 1
                link.send(message(of.BARRIER, xid=xid))
                raise ValueError("stumbled")
            super().barrier(link, xid)

    session = Clumsy(str(server.path))

    with running(name, server.path, session):
        eventually(lambda: session.listed)
        assert session.bundle([]) == {}

    assert session.stumbled == 3


def test_a_switch_without_handshake_is_left_and_tried_again(
    name: Name, server: OpenFlowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "HANDSHAKE", 0.1)
    monkeypatch.setattr("controller.framework.HANDSHAKE", 0.1)
    monkeypatch.setattr(wire, "TICK", 0.02)
    monkeypatch.setattr("controller.framework.TICK", 0.02)
    server.answer = lambda *_: None
    session = Session(str(server.path))

    with running(name, server.path, session):
        eventually(lambda: session.problem() == "no OpenFlow handshake within 0.1 s: does ovs-vswitchd hang?")
        server.answer = server.usual
        eventually(lambda: session.problem() is None)


def test_a_switch_that_hangs_is_noticed_without_a_request_and_found_again(
    name: Name, server: OpenFlowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "TICK", 0.02)
    monkeypatch.setattr("controller.framework.TICK", 0.02)
    monkeypatch.setattr(wire, "QUIET", 0.05)
    monkeypatch.setattr(wire, "SILENT", 0.5)
    session = Session(str(server.path))

    with running(name, server.path, session):
        eventually(lambda: server.connections and server.last().received.count(of.ECHO) > 2)  # quiet, but alive
        assert (1, None) == (session.connections, session.problem())
        server.answer = lambda *_: None
        eventually(lambda: session.problem() == "the switch has been silent for 0.5 s: does ovs-vswitchd hang?")
        server.answer = server.usual
        eventually(lambda: session.problem() is None)


def test_a_switch_that_talks_nonsense_is_left_and_tried_again(session: Session, server: OpenFlowServer) -> None:
    server.last().send(b"GET / HTTP/1.1\r\n\r\n" * 10)
    server.last().close()

    eventually(lambda: session.connections == 2 and session.listed)
    assert session.bundle([]) == {}


def test_a_switch_that_is_not_there_is_tried_until_it_is(name: Name) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "m.mgmt"
        session = Session(str(path))
        with running(name, path, session):
            eventually(lambda: session.problem() == "No such file or directory")
            server = OpenFlowServer(path)
            eventually(lambda: session.listed)
        server.close()


def test_both_ends_may_send_much_at_once(session: Session, server: OpenFlowServer) -> None:
    """Who waits to send still hears: a switch that stops reading until its own errors are read blocks nobody."""
    flood = message(of.ERROR, struct.pack("!HH", 1, 1) + bytes(8)) * 1000

    def talk_first(connection: Connection, kind: int, xid: int, body: bytes) -> None:
        if kind == 4 and not connection.received.count(of.BARRIER):
            connection.send(flood)
            server.answer = server.usual
        server.usual(connection, kind, xid, body)

    server.answer = talk_first

    assert session.bundle([bytes(60_000)] * 60) == {}


def test_no_tcp_port_is_opened(session: Session) -> None:
    for number in (6633, 6653):
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.1", number))


def test_nothing_is_monkey_patched(session: Session) -> None:
    if "eventlet" in sys.modules:
        patched = importlib.import_module("eventlet.patcher").is_monkey_patched
        assert not any(map(patched, ("socket", "thread", "select", "time", "os")))


def test_stopping_ends_all_threads_and_it_may_be_started_anew(name: Name, server: OpenFlowServer) -> None:
    before = threading.active_count()
    for _ in range(2):
        session = Session(str(server.path))
        framework = Framework(name, str(server.path), session)
        framework.start()
        eventually(lambda: session.listed)  # noqa: B023

        framework.stop()

        assert session.problem() == "closed by us"
        eventually(lambda: not any(c.thread.is_alive() for c in server.connections))
        assert threading.active_count() == before


def test_a_framework_that_is_not_installed_is_told_at_start() -> None:
    framework = Framework("floodlight", "/nowhere", Session("/nowhere"))  # type: ignore[arg-type]

    with pytest.raises(ImportError, match="floodlight"):
        framework.start()


def test_no_other_module_knows_a_framework() -> None:
    package = Path(__file__).parents[3] / "controller"
    imports = re.compile(r"^\s*(from|import) (os_ken|ryu|eventlet)\b", re.MULTILINE)

    found = [file.name for file in package.rglob("*.py") if imports.search(file.read_text())]

    assert found == ["framework.py"]
