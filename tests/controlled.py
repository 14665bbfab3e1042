"""A controller on a real switch, and packets to try it with."""

from __future__ import annotations

import ipaddress
import subprocess
import sys

from controller.agent import Controller
from controller.framework import Name
from daemonkit import settings
from daemonkit.metrics import Metrics
from records.memory import MemoryStore
from records.model import GATEWAY_MAC, Endpoint, Vrf
from records.store import Store
from tests import host
from tests.switch import Switch, eventually

BROADCAST = "ff:ff:ff:ff:ff:ff"


def config(one: Switch, framework: Name = "os_ken", resync: float = 30.0) -> settings.Config:
    return settings.Config(
        host=settings.Host(name=host.NAME),
        openvswitch=settings.OpenVSwitch(rundir=str(one.directory)),
        controller=settings.Controller(framework=framework, resync=resync),
    )


def start(one: Switch, store: MemoryStore, framework: Name = "os_ken", resync: float = 30.0) -> Controller:
    """Start a controller and wait until everything is as it should be."""
    controller = Controller(config(one, framework, resync), store, Metrics("test", "0"))
    controller.start()
    eventually(lambda: is_settled(controller, store))
    return controller


def is_settled(controller: Controller, store: MemoryStore) -> bool:
    records, installed = store.snapshot(), controller.switch.installed()
    wanted = {owner: controller.plan.want(records, owner) for owner in controller.plan.keys(records)}
    return installed == {owner: flows for owner, flows in wanted.items() if flows}


def is_up(store: Store, endpoint: Endpoint) -> bool:
    found = store.snapshot().endpoints.get(endpoint.id)
    return found is not None and found.up


def of_family(endpoint: Endpoint, version: int) -> str | None:
    interface = endpoint.ipv4 if version == 4 else endpoint.ipv6
    return str(interface.ip) if interface is not None else None


def packet(
    source: Endpoint,
    target: str,
    *,
    to_mac: str = GATEWAY_MAC,
    from_mac: str | None = None,
    from_ip: str | None = None,
    more: str = "",
) -> str:
    """Return an echo request as `ofproto/trace` reads it."""
    version = ipaddress.ip_address(target).version
    by = from_ip or of_family(source, version)
    head = f"in_port={source.ofport},dl_src={from_mac or source.mac},dl_dst={to_mac}"
    if version == 4:
        return f"{head},icmp,icmp_type=8,nw_src={by},nw_dst={target},nw_ttl=64{more}"
    return f"{head},icmp6,icmpv6_type=128,ipv6_src={by},ipv6_dst={target},nw_ttl=64{more}"


def arp(source: Endpoint, about: str, *, op: int = 1, **more: str) -> str:
    own = more.get("spa") or of_family(source, 4)
    mac = more.get("mac", source.mac)
    return (
        f"in_port={source.ofport},dl_src={mac},dl_dst={BROADCAST},arp,arp_op={op},arp_spa={own},arp_tpa={about},"
        f"arp_sha={more.get('sha', mac)}"
    )


def solicitation(source: Endpoint, about: str, by: str | None = None, kind: int = 135) -> str:
    return (
        f"in_port={source.ofport},dl_src={source.mac},dl_dst=33:33:ff:00:00:12,icmp6,icmpv6_type={kind},"
        f"ipv6_src={by or of_family(source, 6)},ipv6_dst=ff02::1:ff00:12,nd_target={about},nw_ttl=255"
    )


def from_host(vrf: Vrf, target: str, to_mac: str, source: str = "192.0.2.9") -> str:
    kind = "icmp6,icmpv6_type=128,ipv6_src={},ipv6_dst={}" if ":" in target else "icmp,nw_src={},nw_dst={}"
    return f"in_port={vrf.ofport},dl_src={GATEWAY_MAC},dl_dst={to_mac},{kind.format(source, target)},nw_ttl=63"


def inject(one: Switch, port: str, frame: bytes, *, answers: bool = False) -> list[bytes]:
    """Send a frame into the switch by the interface of a port; return the frames that come out of it."""
    script = (
        "import socket,sys,time\n"
        "s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(3)); s.bind((sys.argv[1],0)); s.settimeout(5)\n"
        "sent=bytes.fromhex(sys.argv[2]); s.send(sent)\n"
        "while sys.argv[3]=='1':\n"
        "    got=s.recv(2000)\n"
        "    if got!=sent and got[6:12]!=sent[6:12]: print(got.hex()); break\n"
    )
    daemon = str(one.processes["vswitchd"].pid)
    enter = ["nsenter", "-t", daemon, "-n"]
    subprocess.run([*enter, "ip", "link", "set", port, "up"], check=True)
    done = subprocess.run(
        [*enter, sys.executable, "-c", script, port, frame.hex(), str(int(answers))],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [bytes.fromhex(line) for line in done.stdout.split()]


def checksum(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp6(source: bytes, target: bytes, body: bytes) -> bytes:
    pseudo = source + target + len(body).to_bytes(4) + bytes([0, 0, 0, 58])
    body = body[:2] + checksum(pseudo + body[:2] + bytes(2) + body[4:]).to_bytes(2) + body[4:]
    return bytes.fromhex("60000000") + len(body).to_bytes(2) + bytes([58, 255]) + source + target + body
