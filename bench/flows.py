"""Flows per second, and how long a switch with 100,000 flows takes to be right again, beside `ovs-ofctl`.

    python -m bench.flows [--flows 100000] [--framework os_ken] [--runs 3]

Needs root and Open vSwitch, which it runs in a network namespace of its own.  "planned" begins at the records,
"programmed" at planned flows; both end when the switch has answered the barrier after the bundle.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import ipaddress
import logging
import statistics
import time
import uuid
from collections.abc import Callable

import structlog

from controller.agent import GARBAGE
from controller.framework import Framework, Name
from controller.planner import FlowPlanner, Flows, Owner
from controller.session import Session
from controller.switch import SwitchFlows
from daemonkit.diff import diff
from records.model import EndpointId
from records.snapshot import Records
from tests.examples import World, world
from tests.switch import BRIDGE, Switch, eventually, switch

DRIFT = 100  # one flow of so many is not as it should be
PER_ENDPOINT = 6  # flows, IPv4 only


def records(of: World, endpoints: int) -> Records:
    """Return one host with a network of that many endpoints."""
    found = Records().replaced((None, insert.new) for insert in of.inserts)
    first = ipaddress.IPv4Address("10.1.0.2")
    made = (
        dataclasses.replace(
            of.endpoint(number),
            id=EndpointId(uuid.uuid4()),
            docker_id=f"{number:013x}{0:051x}",
            mac="02:42:" + (first + number).packed.hex(":"),
            ipv4=ipaddress.ip_interface(f"{first + number}/16"),
        )
        for number in range(1, endpoints + 1)
    )
    return found.replaced((None, endpoint) for endpoint in made)


class Bench:
    """One controller without its loop, so that each step can be timed."""

    def __init__(self, on: Switch, source: Records, framework: Name) -> None:
        self.source = source
        self.session = Session(str(on.management))
        self.framework = Framework(framework, str(on.management), self.session)
        self.framework.start()
        eventually(lambda: self.session.listed)
        self.fresh()

    def fresh(self) -> None:
        """Forget everything, as after a restart."""
        self.plan = FlowPlanner("a")
        self.switch = SwitchFlows(self.session, lambda _: None)

    def wanted(self) -> dict[Owner, Flows]:
        """Plan everything."""
        return {o: f for o in self.plan.keys(self.source) if (f := self.plan.want(self.source, o)) is not None}

    def full_pass(self) -> int:
        """Look, compare and change, as the loop does; return how many owners differed."""
        actual = self.switch.read(None)
        change = diff(self.wanted(), actual)
        failed = self.switch.apply(change)
        assert not failed, failed
        return len(change.create) + len(change.change)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--flows", type=int, default=100_000)
    options.add_argument("--framework", choices=["os_ken", "ryu"], default="os_ken")
    options.add_argument("--runs", type=int, default=3)
    given = options.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    gc.set_threshold(*GARBAGE)
    of = world()
    of = dataclasses.replace(of, vrf=dataclasses.replace(of.vrf, ofport=65000))
    source = records(of, given.flows // PER_ENDPOINT)
    with switch() as on:
        bench = Bench(on, source, given.framework)
        figures: dict[str, list[float]] = {}
        for _ in range(given.runs):
            for name, seconds in run(on, bench).items():
                figures.setdefault(name, []).append(seconds)
        bench.framework.stop()
    count = sum(len(flows) for flows in bench.wanted().values())
    show(figures, count, given.framework)


def run(on: Switch, bench: Bench) -> dict[str, float]:
    """Time everything once, on an empty switch."""
    taken: dict[str, float] = {}
    bench.fresh()
    taken["records to flows (plan)"] = timed(bench.wanted)
    wanted = bench.wanted()
    flows = [flow for mine in wanted.values() for flow in mine]
    file = on.directory / "flows.txt"
    file.write_text("\n".join(f"cookie={flow.cookie:#x}, {flow.text}" for flow in flows))
    on.ofctl("del-flows", BRIDGE)
    taken["ovs-ofctl --bundle add-flows"] = timed(lambda: on.ofctl("--bundle", "add-flows", BRIDGE, str(file)))
    on.ofctl("del-flows", BRIDGE)
    taken["programmed (bundle and barrier)"] = timed(lambda: bench.session.bundle([flow.body for flow in flows]))
    on.ofctl("del-flows", BRIDGE)
    bench.switch.read(None)
    taken["programmed, with the ledger"] = timed(bench.full_pass)
    taken["resync, no drift"] = timed(bench.full_pass)
    drift(on, bench)
    taken["resync, 1 % drift"] = timed(bench.full_pass)
    drift(on, bench)
    bench.fresh()
    bench.wanted()
    taken["restart, 1 % drift, after the plan"] = timed(bench.full_pass)
    assert bench.full_pass() == 0
    return taken


def drift(on: Switch, bench: Bench) -> None:
    """Take away half of one flow in DRIFT, and add as many that bear our mark and that nobody wants."""
    flows = [flow for mine in bench.wanted().values() for flow in mine]
    some = flows[:: DRIFT * 2]
    lines = []
    for number, flow in enumerate(some):
        head, _, _ = flow.text.partition(" actions=")
        lines.append("delete_strict " + head.replace(" ", ""))
        lines.append(f"add table=50,cookie={0x4D4F << 48 | number:#x},priority=7,reg3={number},actions=drop")
    on.ofctl("--bundle", "add-flows", BRIDGE, "-", given="\n".join(lines))


def show(figures: dict[str, list[float]], count: int, framework: str) -> None:
    peer = statistics.median(figures["ovs-ofctl --bundle add-flows"])
    print(
        f"{count} flows, {framework}; median of {len(next(iter(figures.values())))} runs; ratio to ovs-ofctl --bundle\n"
    )
    print("| step | seconds | spread | flows/s | ratio of time |\n|---|---|---|---|---|")
    for name, taken in figures.items():
        middle = statistics.median(taken)
        spread = f"{min(taken):.3f}-{max(taken):.3f}"
        print(f"| {name} | {middle:.3f} | {spread} | {count / middle:,.0f} | {middle / peer:.2f} |")


if __name__ == "__main__":
    main()
