"""The demonstration (`make demo`): Moorage's main jobs on real Docker, Open vSwitch and GlusterFS, step by step."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable

import click

from lab import demo_volumes
from lab.command import CommandFailed, LabError, wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from lab.story import Story
from lab.traces import BRIDGE, drops, flows, traces

WEB, DB = "10.1.0.0/24", "10.2.0.0/24"
CREATE = ("network", "create", "-d", "moorage-net", "--ipam-driver", "moorage-net")
SLEEP = ("sh", "-c", 'trap "exit 0" TERM; sleep 3600 & wait')


def lost(ping: str) -> tuple[int, int]:
    """Return (sent, lost) of what `ping` printed."""
    found = re.search(r"(\d+) packets transmitted, (\d+) (?:packets )?received", ping)
    if found is None:
        msg = f"ping printed no summary: {ping[-200:]!r}"
        raise LabError(msg)
    return int(found[1]), int(found[1]) - int(found[2])


def answered(run: Callable[[], str]) -> bool:
    """Return whether a ping was answered."""
    try:
        sent, gone = lost(run())
    except CommandFailed:
        return False
    return gone < sent


def tell(story: Story, lab: Lab) -> None:
    """Go through the main job."""
    host = lab.host
    _networks(story, host)
    _first_packets(story, host)
    _ways_out(story, lab)
    _isolation(story, host)
    _false_sources(story, host)
    _controller_dies(story, host)
    _nothing_left(story, host)
    demo_volumes.tell(story, lab)


def _networks(story: Story, host: Host) -> None:
    story.step("Two networks on the driver, with our addresses")
    for name, subnet in (("web", WEB), ("db", DB)):
        story.command(host, *CREATE, "--subnet", subnet, name)
        gateway = subnet.replace("0/24", "1")
        story.result(
            f"{name} is {subnet}, its gateway {gateway} is on this host", good=f" {gateway}/24" in host.ip("addr")
        )


def _first_packets(story: Story, host: Host) -> None:
    story.step("Containers reach each other by name and address, from the very first packet")
    story.command(host, "run", "-d", "--name", "zoo1", "--network", "web", "--ip", "10.1.0.10", IMAGE, *SLEEP)
    for target in ("zoo1", "10.1.0.10"):
        out = story.command(host, "run", "--rm", "--network", "web", IMAGE, "ping", "-c", "10", "-i", "0.1", target)
        sent, gone = lost(out)
        story.result(f"a new container pings {target}: {sent} sent, {gone} lost", good=gone == 0)
    story.command(host, "run", "-d", "--name", "zoo2", "--network", "web", IMAGE, *SLEEP)


def _ways_out(story: Story, lab: Lab) -> None:
    host, outside = lab.host, lab.outside
    story.step("Each container reaches its gateway, and the outside through the host's address (NAT)")
    for name in ("zoo1", "zoo2"):
        story.result(f"{name} reaches its gateway 10.1.0.1", good=host.reaches(name, "10.1.0.1"))
        story.result(f"{name} reaches {outside.address} outside", good=host.reaches(name, outside.address))
    back = answered(lambda: outside.exec("ping", "-c", "1", "-W", "1", "10.1.0.10"))
    story.result("the outside has no way to 10.1.0.10 by itself: what came back came through NAT", good=not back)


def _isolation(story: Story, host: Host) -> None:
    story.step("A container of another network does not reach the first")
    story.command(host, "run", "-d", "--name", "redis1", "--network", "db", IMAGE, *SLEEP)
    story.result("redis1 (db) reaches its own gateway 10.2.0.1", good=host.reaches("redis1", "10.2.0.1"))
    story.result("redis1 (db) does not reach zoo1 (web)", good=not host.reaches("redis1", "10.1.0.10"))
    story.result("zoo1 (web) does not reach redis1 (db)", good=not host.reaches("zoo1", _address(host, "redis1", "db")))


def _false_sources(story: Story, host: Host) -> None:
    story.step("A container that sends with a false address or a false MAC is dropped, and counted")
    true_mac = host.docker("exec", "zoo2", "cat", "/sys/class/net/eth0/address").strip()
    before = sum(drops(host).values())
    host.in_netns("zoo2", "ip", "addr", "add", "10.1.0.99/24", "dev", "eth0")
    ping = ("ping", "-c", "3", "-i", "0.2", "-W", "1")
    heard = answered(lambda: host.in_netns("zoo2", *ping, "-I", "10.1.0.99", "10.1.0.10"))
    host.in_netns("zoo2", "ip", "addr", "del", "10.1.0.99/24", "dev", "eth0")
    story.result("zoo2 as 10.1.0.99 is not heard by zoo1", good=not heard)
    host.in_netns("zoo2", "ip", "link", "set", "eth0", "address", "02:42:0a:01:00:63")
    heard = answered(lambda: host.in_netns("zoo2", *ping, "10.1.0.10"))
    host.in_netns("zoo2", "ip", "link", "set", "eth0", "address", true_mac)
    story.result("zoo2 with a false MAC is not heard by zoo1", good=not heard)
    wait_for("zoo2 to be heard again", lambda: host.reaches("zoo2", "10.1.0.10"), 10)
    counted = sum(drops(host).values()) - before
    story.result(f"the switch counted {counted} dropped packets by reason", good=counted > 0)


def _controller_dies(story: Story, host: Host) -> None:
    story.step("The controller is killed with -9 under a running ping, and started again")
    have = flows(host)
    inside = ("nsenter", "-t", host.container_pid("zoo2"), "-n", "--")
    ping = host.spawn("ping", *inside, "ping", "-i", "0.02", "-c", "250", "10.1.0.10")
    host.procs["moorage-controller"].kill()
    story.result(f"killed; the switch still has its {len(have)} flows", good=flows(host) == have)
    host.start_controller()
    wait_for("the ping to end", lambda: not ping.alive(), 60)
    sent, gone = lost(host.log("ping").read_text())
    story.result(
        f"{sent} pings meanwhile, {gone} lost; the same {len(have)} flows", good=gone == 0 and flows(host) == have
    )
    out = story.command(host, "run", "--rm", "--network", "web", IMAGE, "ping", "-c", "3", "-i", "0.1", "zoo1")
    story.result("a new container on the restarted controller reaches zoo1 at once", good=lost(out)[1] == 0)


def _nothing_left(story: Story, host: Host) -> None:
    story.step("Removing the networks leaves nothing behind")
    story.command(host, "rm", "-f", "zoo1", "zoo2", "redis1")
    story.command(host, "network", "rm", "web", "db")
    left: list[str] = []

    def gone() -> bool:
        left[:] = [*traces(host), *(f for f in flows(host) if "in_port=" in f or "10.1.0" in f or "10.2.0" in f)]
        return not left

    try:
        wait_for("everything to go", gone, 10)
    except LabError:
        story.result(f"left: {', '.join(left)}", good=False)
    else:
        story.result(f"no port on {BRIDGE}, no interface, flow, rule, address or record of them", good=True)


def _address(host: Host, container: str, network: str) -> str:
    return host.docker("inspect", "-f", f"{{{{.NetworkSettings.Networks.{network}.IPAddress}}}}", container).strip()


@click.command()
@click.option("--keep", is_flag=True, help="Leave the lab up until ctrl-C, and say how to enter it.")
def main(*, keep: bool) -> None:
    """Show Moorage's main job; exit status 1 if a step did not end well."""
    began = time.monotonic()
    story = Story()
    click.echo("Starting two hosts in namespaces of their own: dockerd, Open vSwitch, Moorage ...")
    with Lab("demo", hosts=2, shared=True) as lab:
        tell(story, lab)
        took = time.monotonic() - began
        if story.failed:
            click.secho(f"\n{story.failed} steps did not end well, in {took:.0f} s", fg="red")
        else:
            click.secho(f"\nAll of it works, in {took:.0f} s", fg="green")
        if keep:
            click.echo("\nThe lab is up; ctrl-C ends it.")
            for host in lab.hosts:
                click.echo(f"  {host.name}: {host.where()}")
                for name in host.procs:
                    click.echo(f"    log of {name}: {host.log(name)}")
            try:
                signal.pause()
            except KeyboardInterrupt:
                click.echo("stopping")
    sys.exit(1 if story.failed else 0)


if __name__ == "__main__":
    main()
