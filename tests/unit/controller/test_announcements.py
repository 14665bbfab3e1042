"""What machines of a VLAN are told of endpoints, and when."""

from __future__ import annotations

import dataclasses
import ipaddress
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping

import pytest

from controller.announcements import Announcer, frames, gratuitous_arp, unsolicited_advertisement
from controller.session import DisconnectedError
from controller.view import Attachment
from records.model import EndpointId
from tests.controlled import checksum
from tests.waiting import until

FOUR, SIX = ipaddress.IPv4Address("10.5.0.51"), ipaddress.IPv6Address("fd00:5::51")
MAC = "02:42:0a:05:00:33"
AT = Attachment(51, MAC, FOUR, SIX, segment=0x1000064, zone=14, on_vlan=True)
ONE = EndpointId(uuid.uuid4())


def test_a_gratuitous_arp_asks_everybody_for_ones_own_address() -> None:
    frame = gratuitous_arp(MAC, FOUR)

    own, ip = bytes.fromhex("02420a050033"), FOUR.packed
    assert frame == b"\xff" * 6 + own + bytes.fromhex("08060001080006040001") + own + ip + bytes(6) + ip


def test_an_unsolicited_advertisement_overrides_and_has_a_right_checksum() -> None:
    frame = unsolicited_advertisement(MAC, SIX)

    assert frame[:14] == bytes.fromhex("33330000000102420a05003386dd")
    header, body = frame[14:54], frame[54:]
    assert header == bytes.fromhex("6000000000203aff") + SIX.packed + ipaddress.ip_address("ff02::1").packed
    assert (body[:2], body[4:8]) == (bytes([136, 0]), bytes.fromhex("20000000"))
    assert body[8:] == SIX.packed + bytes.fromhex("020102420a050033")
    assert checksum(header[8:] + len(body).to_bytes(4) + bytes([0, 0, 0, 58]) + body) == 0


def test_each_address_is_announced_as_its_own_family_does() -> None:
    assert [len(frame) for frame in frames(AT)] == [42, 86]
    assert [len(frame) for frame in frames(dataclasses.replace(AT, ipv6=None))] == [42]
    assert [len(frame) for frame in frames(dataclasses.replace(AT, ipv4=None))] == [86]


class Switch:
    """Notes what is sent; `away` while there is none."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []
        self.away = False
        self.seen: Mapping[EndpointId, Attachment] = {ONE: AT}

    def send(self, port: int, frame: bytes) -> None:
        if self.away:
            raise DisconnectedError("no connection")
        self.sent.append((port, len(frame)))


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
def started(switch: Switch) -> Iterator[Callable[[float], Announcer]]:
    made: list[Announcer] = []

    def start(interval: float) -> Announcer:
        made.append(Announcer(lambda key: switch.seen.get(key), switch.send, interval))  # noqa: PLW0108  # `seen` is replaced
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.stop()


ONCE = [(51, 42), (51, 86)]


def test_an_endpoint_is_announced_at_once_and_once_more(switch: Switch, started: Callable[[float], Announcer]) -> None:
    announcer = started(0.05)
    announcer.announce([ONE])

    assert switch.sent[:2] == ONCE
    until(lambda: switch.sent == ONCE * 2)


def test_who_is_no_endpoint_of_a_vlan_is_not_announced(switch: Switch, started: Callable[[float], Announcer]) -> None:
    started(0.0).announce([EndpointId(uuid.uuid4())])

    assert switch.sent == []


def test_who_has_gone_meanwhile_is_not_announced_again(switch: Switch, started: Callable[[float], Announcer]) -> None:
    two = EndpointId(uuid.uuid4())
    announcer = started(0.02)
    announcer.announce([ONE])
    switch.seen = {two: dataclasses.replace(AT, port=52, ipv6=None)}
    announcer.announce([two])

    until(lambda: switch.sent == [*ONCE, (52, 42), (52, 42)])


def test_without_a_switch_nothing_is_said_and_nothing_breaks(
    switch: Switch, started: Callable[[float], Announcer]
) -> None:
    announcer = started(0.0)
    switch.away = True
    announcer.announce([ONE])
    switch.away = False
    announcer.announce([ONE])

    until(lambda: switch.sent == ONCE * 2)


def test_stopping_does_not_wait_for_what_is_still_to_be_said(switch: Switch) -> None:
    announcer = Announcer(lambda _: AT, switch.send, 3600.0)
    announcer.start()
    announcer.announce([ONE])
    announcer.stop()

    assert switch.sent == ONCE
    assert "announcements" not in {thread.name for thread in threading.enumerate()}
