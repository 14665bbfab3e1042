"""`moorage.rate`: a container receives and sends as fast as its user says, whatever restarts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.lab import Lab
from lab.traces import BRIDGE
from tests.system.steps import container, network, nothing_left, refused

pytestmark = pytest.mark.system

LIMITS = {"receive": 20e6, "send": 5e6}  # bit/s
OPTION = "moorage.rate=20mbit/5mbit"
BANDS = ["type=drop rate=20000 burst_size=5000", "type=drop rate=5000 burst_size=1250"]


@pytest.fixture(scope="module")
def limited(lab: Lab) -> Iterator[Host]:
    """A host with the container `slow`, which has limits, and `free`, which has none."""
    host = lab.host
    network(host, "web")
    container(host, "slow", f"name=web,ip=10.1.0.10,driver-opt={OPTION}")
    container(host, "free", "web", "--ip", "10.1.0.11")
    yield host
    host.repair()
    nothing_left(host)
    assert meters(host) == []


def meters(host: Host) -> list[str]:
    """Return the bands of the switch's meters."""
    return sorted(re.findall(r"bands=\s*(.*?)\s*$", host.ofctl("dump-meters", BRIDGE), re.MULTILINE))


def speed(lab: Lab, way: str, *options: str, outside: bool = False) -> float:
    """Return the bit/s that arrive from or at `slow` in 6 s; the burst at the beginning, of 0.25 s, counts."""
    host, server = lab.host, lab.outside if outside else lab.host
    inside = [] if outside else ["nsenter", "-t", str(host.container_pid("free")), "-n", "--"]
    serving = server.spawn("iperf3", *inside, "iperf3", "-s", "-1")
    wait_for("iperf3's server", lambda: ":5201" in server.exec(*inside, "ss", "-Hltn"), 5)
    target = lab.outside.address if outside else "10.1.0.11"
    reverse = ["-R"] if way == "receive" else []
    out = host.in_netns("slow", "iperf3", "-J", "-t", 6, "-c", target, *reverse, *options)
    wait_for("iperf3's server to end", lambda: not serving.alive(), 10)
    end = json.loads(out)["end"]
    if "-u" in options:
        return float(end["sum"]["bits_per_second"] * (1 - end["sum"]["lost_percent"] / 100))
    return float(end["sum_received"]["bits_per_second"])


@pytest.mark.parametrize("way", LIMITS)
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_container_receives_and_sends_as_fast_as_its_user_says(
    lab: Lab, limited: Host, way: str, protocol: str
) -> None:
    flood = ["-u", "-b", str(int(LIMITS[way] * 2)), "-l", "1400"] if protocol == "udp" else []

    got = speed(lab, way, *flood)

    assert abs(got / LIMITS[way] - 1) <= 0.1, f"{way} {protocol}: {got / 1e6:.2f} Mbit/s"


def test_limits_hold_towards_the_outside_and_over_every_restart(lab: Lab, limited: Host) -> None:
    before = meters(limited)
    assert before == BANDS

    for name, start in (
        ("moorage-netplugin", limited.start_netplugin),
        ("moorage-controller", limited.start_controller),
        ("ovs-vswitchd", limited.start_vswitchd),
    ):
        limited.procs[name].kill()
        start()
    wait_for("slow to reach the outside again", lambda: limited.reaches("slow", lab.outside.address), 20)

    assert meters(limited) == before
    got = speed(lab, "send", outside=True)
    assert abs(got / LIMITS["send"] - 1) <= 0.1, f"{got / 1e6:.2f} Mbit/s"


def test_limits_go_with_the_container(limited: Host) -> None:
    limited.docker("rm", "-f", "slow")

    wait_for("the limits to go", lambda: not meters(limited), 10)


def test_a_rate_that_cannot_be_is_refused_with_an_example(limited: Host) -> None:
    said = refused(lambda: container(limited, "bad", "name=web,driver-opt=moorage.rate=fast"))

    assert "moorage.rate='fast': expected a number with kbit, mbit or gbit, such as 20mbit" in said
    limited.docker("rm", "-f", "bad")
    assert meters(limited) == []
