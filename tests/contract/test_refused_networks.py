"""`docker network create` with something that cannot be: each is refused with its reason, and nothing is left of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.plugin import Plugin, plugin

NETWORK = "cd" * 32
ONE = ("10.7.0.0/24",)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a person asks for, shortened to its options: `-o`, `--subnet`, `--gateway` and so on."""

    o: Mapping[str, str] = dataclasses.field(default_factory=dict)
    subnet: Sequence[str] = ONE
    gateway: str = ""
    ip_range: str = ""
    aux: Sequence[str] = ()
    internal: bool = False
    ipam_opt: Mapping[str, str] = dataclasses.field(default_factory=dict)


def options(asked: Asked) -> dict[str, Any]:
    internal = {"com.docker.network.internal": True} if asked.internal else {}
    v6 = any(":" in cidr for cidr in asked.subnet)
    return {"com.docker.network.enable_ipv6": v6, "com.docker.network.generic": dict(asked.o), **internal}


def create(host: Plugin, asked: Asked) -> str:
    """Make the calls that dockerd makes, the releases after a refusal included; return why it was refused."""
    data: dict[bool, list[dict[str, str]]] = {False: [], True: []}
    taken: list[tuple[str, str]] = []
    pools: list[str] = []

    def ask(method: str, **body: Any) -> dict[str, Any]:
        answer = host.post(method, body)
        if "Err" in answer:
            raise RuntimeError(answer["Err"])
        return answer

    def address(pool: str, ip: str, options: Mapping[str, str] | None) -> str:
        found = ask("IpamDriver.RequestAddress", PoolID=pool, Address=ip, Options=options)["Address"]
        taken.append((pool, found.partition("/")[0]))
        return str(found)

    try:
        for cidr in asked.subnet:
            made = ask(
                "IpamDriver.RequestPool",
                AddressSpace="moorage-local",
                Pool=cidr,
                SubPool=asked.ip_range,
                Options=dict(asked.ipam_opt),
                V6=":" in cidr,
            )
            pools.append(made["PoolID"])
            gateway = address(made["PoolID"], asked.gateway, {"RequestAddressType": "com.docker.network.gateway"})
            for ip in asked.aux:
                address(made["PoolID"], ip, None)
            data[":" in cidr].append({"Pool": made["Pool"], "Gateway": gateway})
        ask(
            "NetworkDriver.CreateNetwork",
            NetworkID=NETWORK,
            Options=options(asked),
            IPv4Data=data[False],
            IPv6Data=data[True],
        )
    except RuntimeError as refusal:
        for pool, ip in taken:
            host.call("IpamDriver.ReleaseAddress", PoolID=pool, Address=ip)
        for pool in pools:
            host.call("IpamDriver.ReleasePool", PoolID=pool)
        return str(refusal)
    return ""


VLAN = {"moorage.kind": "vlan", "moorage.segment": "100", "moorage.uplink": "eth1"}
UPLINKS: list[tuple[Asked, str]] = [  # it takes a look at the host's interfaces to refuse these
    (Asked(o={"moorage.kind": "vlan", "moorage.segment": "100"}), "needs the interface that leads to the VLANs"),
    (Asked(o=VLAN | {"moorage.uplink": "eth7"}), "moorage.uplink=eth7: this host has no such interface"),
    (Asked(o=VLAN | {"moorage.mtu": "1501"}), "moorage.mtu=1501 is more than eth1 carries, 1500 bytes"),
]
OPTIONS: list[tuple[Asked, str]] = [
    (Asked(o={"moorage.kind": "vlan", "moorage.uplink": "eth1"}), "needs -o moorage.segment=ID"),
    (Asked(o=VLAN | {"moorage.segment": "4095"}), "moorage.segment='4095': expected a VLAN id, 1 to 4094"),
    (Asked(o=VLAN | {"moorage.uplink": "e th1"}), "expected the name of a network interface"),
    (Asked(o=VLAN | {"moorage.gateway": "nat"}), "this host cannot masquerade"),
    (Asked(o=VLAN | {"moorage.isolation": "tenant"}), "is up to its router"),
    (Asked(o=VLAN, internal=True), "it cannot be --internal"),
    (Asked(o={"moorage.kind": "bridge", "moorage.uplink": "eth1"}), "moorage.uplink has no meaning"),
    (Asked(o={"moorage.gatway": "nat"}), "unknown option 'moorage.gatway'; did you mean moorage.gateway?"),
    (Asked(o={"moorage.colour": "red"}), "unknown option 'moorage.colour'; known are "),
    (Asked(o={"MOORAGE.MTU": "1400"}), "unknown option 'MOORAGE.MTU'; did you mean moorage.mtu?"),
    (Asked(o={"moorage.": ""}), "unknown option 'moorage.'"),
    (Asked(o={"moorage.kind": "overlay"}), "moorage.kind='overlay': expected one of bridge, vlan, vxlan"),
    (Asked(o={"moorage.kind": "Bridge"}), "moorage.kind='Bridge': expected one of bridge, vlan, vxlan"),
    (Asked(o={"moorage.gateway": ""}), "moorage.gateway='': expected one of nat, routed, none"),
    (Asked(o={"moorage.gateway": "10.7.0.1"}), "moorage.gateway='10.7.0.1': expected one of nat, routed, none"),
    (Asked(o={"moorage.isolation": "none"}), "moorage.isolation='none': expected one of network, tenant, open"),
    (Asked(o={"moorage.network": ""}), "moorage.network='': expected 1 to 63 letters"),
    (Asked(o={"moorage.network": "-web"}), "moorage.network='-web': expected 1 to 63 letters"),
    (Asked(o={"moorage.network": "w" * 64}), "expected 1 to 63 letters"),
    (Asked(o={"moorage.tenant": "team a"}), "moorage.tenant='team a': expected 1 to 63 letters"),
    (Asked(o={"moorage.tenant": "caf\u00e9"}), "expected 1 to 63 letters"),
    *(
        (Asked(o={key: value}), f"{key}={value!r}: expected 576 to 65535 bytes")
        for key in ("moorage.mtu", "com.docker.network.driver.mtu")
        for value in (
            "",
            "0",
            "575",
            "65536",
            "-1",
            "1500.0",
            "1e3",
            "0x5dc",
            " 1500",
            "\u0661\u0665\u0660\u0660",
            "9" * 99,
        )
    ),
    (Asked(o={"moorage.mtu": "1400", "com.docker.network.driver.mtu": "1500"}), "moorage.mtu=1400 contradicts "),
    (Asked(o={"moorage.mtu": "1279"}, subnet=("fd07::/64",)), "an MTU of 1279 is too small for IPv6"),
    (Asked(o={"moorage.mtu": "576"}, subnet=(*ONE, "fd07::/64")), "an MTU of 576 is too small for IPv6"),
    *(
        (Asked(o={"com.docker.network.container_iface_prefix": value}), "expected a letter and up to 9 letters")
        for value in ("", "0eth", "eth/0", "interface00", "e h", "\u00e9th")
    ),
    (Asked(o={"moorage.gateway": "nat"}, internal=True), "an --internal network has no way out"),
    (Asked(o={"moorage.gateway": "routed"}, internal=True), "an --internal network has no way out"),
    (
        Asked(o={"moorage.isolation": "tenant"}, internal=True),
        "moorage.isolation=tenant needs a gateway to reach other",
    ),
    (Asked(o={"moorage.isolation": "open", "moorage.gateway": "none"}), "moorage.gateway=none has none"),
    (
        Asked(o={"moorage.network": "taken", "moorage.kind": "bridge"}),
        "is the name of another network of tenant default",
    ),
]

SUBNETS: list[tuple[Asked, str]] = [
    (Asked(subnet=("10.7.0.0/24", "10.7.0.0/24")), "subnet 10.7.0.0/24 overlaps "),
    (Asked(subnet=("10.7.0.0/24", "10.7.0.128/25")), "subnet 10.7.0.128/25 overlaps "),
    (Asked(subnet=("fd07::/64", "fd07::/65")), "subnet fd07::/65 overlaps "),
    (Asked(subnet=("10.1.0.0/24",)), "subnet 10.1.0.0/24 overlaps 10.1.0.0/24 of network taken"),
    (Asked(subnet=("10.0.0.0/8",)), "subnet 10.0.0.0/8 overlaps 10.1.0.0/24 of network taken"),
    (Asked(subnet=("10.1.0.200/32",)), "subnet 10.1.0.200/32 overlaps 10.1.0.0/24 of network taken"),
    *(
        (Asked(subnet=(cidr,)), f"--subnet {cidr} is not one that machines can have addresses of")
        for cidr in ("0.0.0.0/8", "127.0.0.0/16", "224.0.0.0/24", "255.255.255.255/32", "ff00::/64", "::/64")
    ),
    (Asked(subnet=("fe80::/64",)), "--subnet fe80::/64 is link-local"),
    (Asked(subnet=("10.7.0.0/40",)), "--subnet '10.7.0.0/40' is not a subnet"),
    (Asked(subnet=("web",)), "--subnet 'web' is not a subnet"),
    (Asked(gateway="10.8.0.1"), "address 10.8.0.1 is not one a machine can have in subnet 10.7.0.0/24"),
    (Asked(gateway="10.7.0.0"), "address 10.7.0.0 is not one a machine can have in subnet 10.7.0.0/24"),
    (Asked(gateway="10.7.0.255"), "address 10.7.0.255 is not one a machine can have in subnet 10.7.0.0/24"),
    (Asked(gateway="fd07::1"), "address fd07::1 is not one a machine can have in subnet 10.7.0.0/24"),
    (Asked(gateway="router"), "'router' is not an address"),
    (Asked(ip_range="10.8.0.0/25"), "--ip-range 10.8.0.0/25 does not lie in --subnet 10.7.0.0/24"),
    (Asked(ip_range="10.7.0.0/23"), "--ip-range 10.7.0.0/23 does not lie in --subnet 10.7.0.0/24"),
    (Asked(ip_range="fd07::/120"), "--ip-range fd07::/120 does not lie in --subnet 10.7.0.0/24"),
    (Asked(ip_range="10.7.0.0/24-25"), "--ip-range '10.7.0.0/24-25' is not a subnet"),
    (Asked(aux=("10.8.0.9",)), "address 10.8.0.9 is not one a machine can have in subnet 10.7.0.0/24"),
    (Asked(gateway="10.7.0.9", aux=("10.7.0.9",)), "address 10.7.0.9 is already in use as "),
    (Asked(aux=("10.7.0.9", "10.7.0.9")), "address 10.7.0.9 is already in use as "),
    (Asked(ipam_opt={"moorage.block": "26"}), "unknown option 'moorage.block'"),
]


@pytest.fixture(scope="module")
def host() -> Iterator[Plugin]:
    """A host with a network that others would get in the way of."""
    with plugin() as made:
        made.network(options={"moorage.network": "taken", "moorage.kind": "bridge"})
        made.swept()
        yield made


@pytest.mark.parametrize(("asked", "text"), [*OPTIONS, *UPLINKS, *SUBNETS], ids=lambda value: ascii(value)[:60])
def test_what_cannot_be_is_refused_with_its_reason_and_leaves_nothing(host: Plugin, asked: Asked, text: str) -> None:
    before, system = host.left(), host.actual()

    assert text in create(host, asked)

    host.swept()
    assert (before, system) == (host.left(), host.actual())


@pytest.mark.parametrize(("asked", "text"), OPTIONS[:-1], ids=lambda value: ascii(value)[:60])
def test_options_are_refused_before_any_address_is_taken_where_docker_asks_first(
    host: Plugin, asked: Asked, text: str
) -> None:
    """Docker from 28 on asks before all else whether it is to keep the gateway's address."""
    if "IPv6" not in text:  # which subnets there are it does not say
        assert text in host.refused("NetworkDriver.GwAllocCheck", {"Options": options(asked)})


def test_what_can_be_is_made_and_unmade(host: Plugin) -> None:
    before, system = host.left(), host.actual()

    assert "" == create(host, Asked())
    host.call("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)
    for subnet in host.records.subnets:
        if str(subnet.cidr) in ONE:
            host.call("IpamDriver.ReleasePool", PoolID=str(subnet.id))

    host.swept()
    assert (before, system) == (host.left(), host.actual())
