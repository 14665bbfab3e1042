"""What somebody does to the host by hand: ours comes back by itself, and what is not ours is left alone."""

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.lab import Lab, leftovers
from lab.traces import flows, traces
from tests.system.steps import container, inspect, lost, network
from tests.system.traffic import Traffic, traffic

pytestmark = pytest.mark.system

RESYNC = 1.0  # seconds; what is put back, or swept, is so within it
CONFIG = {"netplugin": {"resync": RESYNC, "forget_after": RESYNC}, "controller": {"resync": RESYNC}}
WITHIN = 20 * RESYNC  # on a busy machine


@pytest.fixture(scope="module")
def town(machine: None) -> Iterator[Lab]:
    """A lab whose daemons look at everything each second; network `web` with containers `a1` and `b1`."""
    with Lab(f"damage-{os.getpid()}", config=CONFIG) as town:
        network(town.host, "web")
        container(town.host, "a1", "web")
        container(town.host, "b1", "web", "--ip", "10.1.0.10")
        yield town
    assert [] == leftovers(town.place)


@pytest.fixture
def host(town: Lab) -> Host:
    return town.host


@pytest.fixture
def running(town: Lab) -> Iterator[Traffic]:
    with traffic(town, "a1", "b1", "web") as running:
        yield running


def ports(host: Host, prefix: str) -> list[str]:
    return [port for port in host.vsctl("list-ports", "moorage0").split() if port.startswith(prefix)]


def ours(host: Host) -> tuple[object, ...]:
    """Return everything of ours: ports, interfaces, rules, records; flows; the gateways' addresses; the bridge."""
    addresses = [
        f"{link['ifname']} {one['local']} {link['operstate']}"
        for link in json.loads(host.ip("-j", "addr"))
        for one in link["addr_info"]
        if link["ifname"] in ports(host, "mg") and one["scope"] == "global"
    ]
    columns = "--columns=fail_mode,protocols,other_config,external_ids,datapath_type"
    return sorted(traces(host)), flows(host), sorted(addresses), host.vsctl(columns, "list", "Bridge", "moorage0")


def flush_rules(host: Host) -> None:
    host.exec("iptables", "-F")


def flush_all_tables(host: Host) -> None:
    for table in ("raw", "nat", "filter"):
        host.exec("iptables", "-t", table, "-F")


def replace_rules(host: Host) -> None:
    """Load a whole file of rules, as iptables-save makes it and a restarted firewall does."""
    around = ("PREROUTING", "OUTPUT")
    tables = {"raw": around, "nat": (*around, "INPUT", "POSTROUTING"), "filter": ("INPUT", "FORWARD", "OUTPUT")}
    lines = [[f"*{table}", *(f":{chain} ACCEPT [0:0]" for chain in tables[table]), "COMMIT", ""] for table in tables]
    host.exec("iptables-restore", stdin="\n".join(itertools.chain(*lines)))


def delete_flows(host: Host) -> None:
    host.ofctl("del-flows", "moorage0")


def delete_bridge(host: Host) -> None:
    host.vsctl("del-br", "moorage0")


def delete_port(host: Host) -> None:
    host.vsctl("del-port", "moorage0", ports(host, "mv")[0])


def delete_gateway_port(host: Host) -> None:
    host.vsctl("del-port", "moorage0", ports(host, "mg")[0])


def delete_gateway_address(host: Host) -> None:
    host.ip("addr", "del", "10.1.0.1/24", "dev", ports(host, "mg")[0])


def set_gateway_down(host: Host) -> None:
    host.ip("link", "set", ports(host, "mg")[0], "down")


def reset_bridge(host: Host) -> None:
    host.vsctl("emer-reset")


DAMAGE = [
    flush_rules, flush_all_tables, replace_rules, delete_flows, delete_bridge, delete_port, delete_gateway_port,
    delete_gateway_address,    set_gateway_down, reset_bridge,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__.replace("_", " "))
def test_what_is_damaged_by_hand_comes_back_and_open_connections_go_on(
    host: Host, running: Traffic, damage: Callable[[Host], None]
) -> None:
    before = ours(host)
    damage(host)

    wait_for("all to be as before", lambda: ours(host) == before, WITHIN)
    # While no rule of the host needs connections tracked the kernel tracks none, and resets what it does not know.
    running.goes_on(but="talk outside" if damage in {flush_all_tables, replace_rules} else None)
    assert 0 == lost(host, "b1", "a1", count=3)


def test_a_container_whose_link_is_deleted_has_one_again_when_it_is_restarted(host: Host) -> None:
    endpoint = inspect(host, "a1", ".NetworkSettings.Networks.web.EndpointID")
    host.ip("link", "del", f"mv-{endpoint[:12]}")
    assert not host.reaches("a1", "10.1.0.10")
    assert host.reaches("b1", "10.1.0.1")

    host.docker("restart", "-t", "1", "a1")

    assert 0 == lost(host, "a1", "10.1.0.10")
    wait_for(
        "one link a container",
        lambda: 2 == len(host.ip("-br", "link", "show", "type", "veth").split("mv-")) - 1,
        WITHIN,
    )


# What somebody else has on the host, as like ours as may be.
THEIRS = """
ip link add mgmt type veth peer name mv0
ip link set mgmt up
ip link set mv0 up
ip addr add 192.0.2.1/24 dev mgmt
ip link add mg-backbone type bridge
ip link set mg-backbone up
ip addr add 192.0.2.129/25 dev mg-backbone
ip link add mp0 type veth peer name theirs0
ip link set theirs0 up
ip netns add theirs
ip netns exec theirs ip link set lo up
iptables -N THEIRS
iptables -A THEIRS -i mgmt -j ACCEPT
iptables -I FORWARD -j THEIRS
iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
ip6tables -A FORWARD -i mgmt -j ACCEPT
ovs-vsctl add-port moorage0 theirs0 -- set interface theirs0 ofport_request=999 external_ids:iface-id=theirs
ovs-vsctl add-br br-theirs -- set bridge br-theirs datapath_type=netdev
ovs-ofctl -O OpenFlow13 add-flow moorage0 cookie=0x77,table=200,priority=5,actions=drop
ovs-ofctl -O OpenFlow13 add-flow moorage0 table=200,priority=6,ip,actions=drop
ovs-ofctl -O OpenFlow13 add-group moorage0 group_id=77,type=all,bucket=actions=drop
ovs-ofctl add-flow br-theirs cookie=0x4d4f000000000000,actions=drop
"""


def foreign(host: Host) -> dict[str, list[str]]:
    """Return everything that is not ours: interfaces, addresses, rules, ports, bridges, flows, groups, namespaces."""
    links = json.loads(host.ip("-j", "addr"))
    own = re.compile("m[vgp][-0-9a-f][0-9a-f]{12}")
    rules = [line for tool in ("iptables", "ip6tables") for line in host.exec(f"{tool}-save").splitlines()]
    shown = host.ofctl("dump-flows", "moorage0", "--no-stats") + host.ofctl("dump-groups", "moorage0")
    return {
        "addresses": [
            f"{link['ifname']} {link['operstate']} {[one['local'] for one in link['addr_info']]}"
            for link in links
            if own.fullmatch(link["ifname"]) is None
        ],
        "rules": [line for line in rules if line.startswith("-A") and not re.search("MOORAGE|DOCKER", line)],
        "ports": [
            *(port for port in host.vsctl("list-ports", "moorage0").split() if own.fullmatch(port) is None),
            *host.vsctl("list-br").split(),
        ],
        "flows": [line for line in shown.splitlines() if "cookie=0x4d4f" not in line and "xid=" not in line],
        "their flows": host.exec("ovs-ofctl", "dump-flows", "br-theirs", "--no-stats").splitlines(),
        "namespaces": host.exec("ip", "netns").split(),
    }


def looked(host: Host, daemon: str) -> float:
    """Return how often a daemon has looked at everything since it started."""
    text = host.exec("curl", "-s", "--unix-socket", f"/run/moorage/{daemon}.sock", "http://localhost/metrics")
    found = re.search(r'^moorage_loop_pass_seconds_count{kind="full"} (\S+)', text, re.MULTILINE)
    return 0 if found is None else float(found[1])


def test_what_is_not_ours_is_never_touched(host: Host) -> None:
    for line in THEIRS.strip().splitlines():
        host.exec(*line.split())
    before = foreign(host)
    for name, start in (("netplugin", host.start_netplugin), ("controller", host.start_controller)):
        host.procs[f"moorage-{name}"].kill()
        start()
    network(host, "late", "10.9.0.0/24", "--ipv6", "--subnet", "fd00:9::/64")
    container(host, "c1", "late")
    host.docker("rm", "-f", "c1")
    host.docker("network", "rm", "late")
    for name in ("netplugin", "controller"):
        wait_for("some looks at everything", lambda name=name: looked(host, name) > 3, WITHIN)

    for kind, was in before.items():
        assert was == foreign(host)[kind]
    host.docker("rm", "-f", "a1", "b1")
    host.docker("network", "rm", "web")
    wait_for("all of ours to go, and nothing else", lambda: traces(host) == ["port theirs0"], WITHIN)
    assert before == foreign(host)
