"""Real packets through the controller's flows: what the switch itself answers, and what it counts."""

from __future__ import annotations

import ipaddress

import pytest

from controller.agent import Controller
from controller.pipeline import Reason
from tests.controlled import icmp6, inject
from tests.host import W1, W2
from tests.switch import Switch, eventually

pytestmark = pytest.mark.system


def test_drops_are_counted_by_reason(one: Switch, controller: Controller) -> None:
    """Real packets: written into the endpoint's own interface, as a container would."""
    frame = bytes.fromhex("ffffffffffff" + "02deadbeef00" + "0800" + "45" + "00" * 45)
    inject(one, W1.port, frame)

    eventually(lambda: "false_source" in controller.status()["drops"])

    assert controller.status()["drops"]["false_source"]["packets"] >= 1
    assert controller.status()["drops"]["false_source"]["meaning"] == Reason.FALSE_SOURCE.text


def test_the_answer_to_arp_is_right_on_the_wire(one: Switch, controller: Controller) -> None:
    mine, other = bytes.fromhex(W1.mac.replace(":", "")), bytes.fromhex(W2.mac.replace(":", ""))
    asked = bytes.fromhex("08060001080006040001") + mine + bytes([10, 1, 0, 11]) + bytes(6)

    answers = inject(one, W1.port, b"\xff" * 6 + mine + asked + bytes([10, 1, 0, 12]), answers=True)

    reply = bytes.fromhex("08060001080006040002") + other + bytes([10, 1, 0, 12]) + mine
    assert answers[0][:42] == mine + other + reply + bytes([10, 1, 0, 11])


def test_the_answer_to_a_neighbour_solicitation_is_right_on_the_wire(one: Switch, controller: Controller) -> None:
    mine, other = bytes.fromhex(W1.mac.replace(":", "")), bytes.fromhex(W2.mac.replace(":", ""))
    source, about = (ipaddress.ip_address(a).packed for a in ("fd00:1::11", "fd00:1::12"))
    group = ipaddress.ip_address("ff02::1:ff00:12").packed
    body = bytes([135, 0, 0, 0]) + bytes(4) + about + bytes([1, 1]) + mine

    answers = inject(
        one, W1.port, bytes.fromhex("3333ff000012") + mine + b"\x86\xdd" + icmp6(source, group, body), answers=True
    )

    told = bytes([136, 0, 0, 0]) + bytes.fromhex("60000000") + about + bytes([2, 1]) + other
    assert answers[0] == mine + other + b"\x86\xdd" + icmp6(about, source, told)
