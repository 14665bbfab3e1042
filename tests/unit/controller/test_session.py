"""Requests find their answers, and end when the connection does."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable

import pytest

from controller import session as module
from controller.flow import flow
from controller.meter import Command, meter
from controller.openflow import Refusal, content
from controller.pipeline import Feature, Table
from controller.session import DisconnectedError, Session

BARRIER, MULTIPART, EXPERIMENTER, METER_MOD, PACKET_OUT = 20, 18, 4, 29, 13
EXAMPLE = flow(Feature.DROPS, Table.DROP, 5)


class FakeLink:
    """A connection whose other end answers at once, as `answers` says: type of message to what happens."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []  # type, xid
        self.answers: dict[int, Callable[[int], None]] = {}
        self.broken = False
        self.closed = False

    def send(self, data: bytes) -> None:
        if self.broken:
            raise BrokenPipeError("broken pipe")
        while data:
            _, kind, length, xid = struct.unpack_from("!BBHI", data)
            self.sent.append((kind, xid))
            data = data[length:]
            if kind in self.answers:
                self.answers[kind](xid)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def session(told: list[str | None]) -> Session:
    return Session("/run/test.mgmt", lambda: told.append("connection"), told.append)


@pytest.fixture
def link(session: Session) -> FakeLink:
    """A connection that answers barriers."""
    one = FakeLink()
    one.answers[BARRIER] = lambda xid: session.barrier(one, xid)
    session.connected(one)
    return one


def test_a_frame_is_handed_over_without_waiting_for_an_answer(session: Session, link: FakeLink) -> None:
    session.inject(51, b"frame")

    assert [kind for kind, _ in link.sent][-1] == PACKET_OUT


def test_without_connection_every_request_says_so(session: Session) -> None:
    session.disconnected(None, "No such file or directory")

    said = "no connection to the switch at /run/test.mgmt: No such file or directory"
    with pytest.raises(DisconnectedError, match=said):
        session.inject(51, b"frame")
    with pytest.raises(DisconnectedError, match=said):
        session.dump(0, 0)
    with pytest.raises(DisconnectedError, match=said):
        session.bundle([])
    assert session.problem() == "No such file or directory"


def test_a_bundle_is_done_when_its_barrier_is_answered(session: Session, link: FakeLink) -> None:
    assert session.bundle([EXAMPLE.body]) == {}

    assert [kind for kind, _ in link.sent[-4:]] == [EXPERIMENTER, EXPERIMENTER, EXPERIMENTER, BARRIER]


def test_errors_of_a_bundle_name_the_place_of_the_flow(session: Session, link: FakeLink) -> None:
    refusal = Refusal(4, 9)

    def refuse(xid: int) -> None:
        if sum(kind == EXPERIMENTER for kind, _ in link.sent) == 3:  # opening, first, second
            session.refused(link, xid, refusal)

    link.answers[EXPERIMENTER] = refuse

    assert session.bundle([EXAMPLE.body] * 3) == {1: refusal}
    assert session.bundle([EXAMPLE.body] * 3) == {}
    assert session.refusal == refusal.text


def test_errors_of_meters_name_the_place_of_the_meter(session: Session, link: FakeLink) -> None:
    refusal = Refusal(12, 11)

    def refuse(xid: int) -> None:
        if sum(kind == METER_MOD for kind, _ in link.sent) == 2:
            session.refused(link, xid, refusal)

    link.answers[METER_MOD] = refuse

    refused = session.change_meters([(Command.ADD, meter(number, 1_000)) for number in range(3)])

    assert {1: refusal} == refused
    assert [METER_MOD, METER_MOD, METER_MOD, BARRIER] == [kind for kind, _ in link.sent[-4:]]


def test_a_dump_is_done_when_no_more_is_to_come(session: Session, link: FakeLink) -> None:
    shown = content(EXAMPLE)
    entry = struct.pack("!HBxIIHHHH4xQQQ", 48 + len(shown), 60, 0, 0, 5, 0, 0, 0, EXAMPLE.cookie, 0, 0) + shown

    def answer(xid: int) -> None:
        session.statistics(link, xid + 1, entry, more=False)  # somebody else's
        session.statistics(link, xid, entry, more=True)
        session.statistics(link, xid, entry, more=False)

    link.answers[MULTIPART] = answer

    assert [seen.identity for seen in session.dump(0, 0)] == [EXAMPLE.identity] * 2


def test_a_switch_that_does_not_show_its_flows_is_told(session: Session, link: FakeLink) -> None:
    link.answers[MULTIPART] = lambda xid: session.refused(link, xid, Refusal(1, 5))

    with pytest.raises(DisconnectedError, match=r"does not show its flows: bad request \(type 1, code 5\)"):
        session.dump(0, 0)


def test_a_request_ends_with_the_connection(session: Session, link: FakeLink) -> None:
    link.answers = {MULTIPART: lambda _: threading.Timer(0.02, session.disconnected, (link, "closed")).start()}

    with pytest.raises(DisconnectedError, match="connection to the switch ended: closed"):
        session.dump(0, 0)


def test_a_request_whose_connection_was_replaced_ends_too(session: Session, link: FakeLink) -> None:
    link.answers = {MULTIPART: lambda _: session.connected(FakeLink())}

    with pytest.raises(DisconnectedError):
        session.dump(0, 0)


def test_a_switch_that_does_not_answer_is_left(
    session: Session, link: FakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER", 0.02)
    link.answers = {}

    with pytest.raises(DisconnectedError, match="no answer from the switch within"):
        session.bundle([])
    assert link.closed


def test_a_connection_that_takes_nothing_is_left(session: Session, link: FakeLink) -> None:
    link.broken = True

    with pytest.raises(DisconnectedError, match="broke: broken pipe"):
        session.bundle([EXAMPLE.body])
    assert link.closed


def test_a_connection_that_is_lost_at_once_is_left(session: Session, told: list[str | None]) -> None:
    link = FakeLink()
    link.broken = True

    session.connected(link)

    assert link.closed
    assert told == []


def test_the_end_of_an_old_connection_does_not_end_the_new_one(session: Session, link: FakeLink) -> None:
    new = FakeLink()
    session.connected(new)

    session.disconnected(link, "late")

    assert session.problem() is None
    session.disconnected(new, "now")
    assert session.problem() == "now"


def test_what_an_old_connection_says_is_not_heard(session: Session, link: FakeLink) -> None:
    new = FakeLink()
    session.connected(new)

    session.ports_listed(link, {"mv1": 1}, more=False)
    session.port_changed(link, "mv1", 1)
    session.barrier(link, 1)
    session.statistics(link, 1, b"", more=False)

    assert session.ports() is None


def test_the_switch_is_made_to_tell_of_ports_before_they_are_listed(link: FakeLink) -> None:
    assert [kind for kind, _ in link.sent] == [9, 28, MULTIPART]  # OFPT_SET_CONFIG, OFPT_SET_ASYNC


def test_ports_are_known_once_all_are_listed(session: Session, link: FakeLink) -> None:
    session.ports_listed(link, {"mv1": 1}, more=True)
    assert session.ports() is None
    assert not session.listed

    session.ports_listed(link, {"mv2": 2}, more=False)

    assert session.ports() == {"mv1": 1, "mv2": 2}
    assert session.listed


def test_news_of_ports_are_kept_and_told(session: Session, link: FakeLink, told: list[str | None]) -> None:
    session.ports_listed(link, {"mv1": 1, "mv2": 2}, more=False)

    session.port_changed(link, "mv1", None)
    session.port_changed(link, "mv2", 7)

    assert session.ports() == {"mv2": 7}
    assert told == ["connection", None, "mv1", "mv2"]


def test_a_port_that_comes_while_the_list_is_on_its_way_is_not_lost(session: Session, link: FakeLink) -> None:
    session.ports_listed(link, {"mv1": 1}, more=True)
    session.port_changed(link, "mv3", 3)
    session.ports_listed(link, {"mv2": 2}, more=False)

    assert session.ports() == {"mv1": 1, "mv2": 2, "mv3": 3}
