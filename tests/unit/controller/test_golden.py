"""The flows of a fixed host, as text that can be pasted into `ovs-ofctl add-flows`.

After a change of the pipeline: `python -m tests.unit.controller.test_golden`, and then review `git diff tests/golden`:
every line in it is a packet that is treated differently.
"""

from __future__ import annotations

from pathlib import Path

from controller.planner import FENCES, FIXED, FlowPlanner, Owner
from tests import host
from tests.host import A1, APP, D1, DARK_NET, GREEN, L1, P1, P2, PHYS, RED, RED_WEB, S1, UPLINK, W1, W3, WEB

GOLDEN = Path(__file__).parents[2] / "golden" / "host.flows"

OWNERS: list[tuple[str, Owner]] = [
    ("what every host has", FIXED),
    ("routing domain of web and app", GREEN.id),
    ("routing domain of red, with the same addresses", RED.id),
    ("network web: dual stack", WEB.id),
    ("network app", APP.id),
    ("network red", RED_WEB.id),
    ("network dark: no gateway", DARK_NET.id),
    ("endpoint w1: dual stack", W1.id),
    ("endpoint w3: a MAC address of the user's", W3.id),
    ("endpoint a1", A1.id),
    ("endpoint d1: no gateway", D1.id),
    ("endpoint s1: may speak for others", S1.id),
    ("uplink", UPLINK.id),
    ("network phys: VLAN 100, with two endpoints here", PHYS.id),
    ("endpoint p1 on a VLAN: dual stack", P1.id),
    ("endpoint p2 on a VLAN: a MAC address of the user's", P2.id),
    ("endpoint l1: receives and sends with limits", L1.id),
    ("fences: from the servers of a volume that this host lost", FENCES),
]


def text() -> str:
    plan, records = FlowPlanner("a"), host.records()
    lines: list[str] = []
    for title, owner in OWNERS:
        flows = sorted(plan.want(records, owner) or (), key=lambda flow: (flow.table, -flow.priority, flow.text))
        lines += [f"# {title}", *(flow.text for flow in flows), ""]
    return "\n".join(lines)


def test_the_flows_are_those_that_were_reviewed() -> None:
    assert GOLDEN.read_text() == text()


if __name__ == "__main__":
    GOLDEN.write_text(text())
