"""A VLAN network as dockerd makes it, call by call: what is answered, what the system should be, and what is left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plugin import NETWORK, Plugin, plugin

CIDR = "10.20.0.0/24"
OPTIONS = {"moorage.kind": "vlan", "moorage.segment": "100", "moorage.uplink": "eth1"}


@pytest.fixture
def host() -> Iterator[Plugin]:
    with plugin() as made:
        yield made


def ports(host: Plugin) -> set[str]:
    return {port.name for port in host.actual()["ports"].values()}


def test_containers_get_the_outside_routers_address_and_the_host_is_not_in_the_way(host: Plugin) -> None:
    (pool,) = host.network(cidrs=[CIDR], options=OPTIONS)
    joined = host.run(1, pool)
    host.swept()

    assert ("10.20.0.1", False) == (joined["Gateway"], joined.get("DisableGatewayService", False))
    assert "eth1" in ports(host)
    assert not any(name.startswith("mg") for name in ports(host))
    assert {} == host.actual()["gateways"]
    assert ["eth1"] == [nic.name for nic in host.actual()["uplinks"].values()]
    rules = [rule.text for ruleset in host.actual()["firewall"].values() for rule in ruleset.rules]
    assert not [text for text in rules if "10.20.0" in text or "MASQUERADE" in text]


def test_without_a_gateway_docker_adds_no_interface_of_its_own(host: Plugin) -> None:
    options = OPTIONS | {"moorage.gateway": "none"}
    asked = host.call("NetworkDriver.GwAllocCheck", Options={"com.docker.network.generic": options})
    (pool,) = host.network(cidrs=[CIDR], options=options)
    joined = host.run(1, pool)

    assert {"SkipIPv4": True, "SkipIPv6": True} == asked
    assert ("", True) == (joined.get("Gateway", ""), joined["DisableGatewayService"])


def test_the_last_network_on_it_gives_the_interface_back(host: Plugin) -> None:
    other = "cd" * 32
    host.network(cidrs=[CIDR], options=OPTIONS)
    host.network(other, ["10.21.0.0/24"], OPTIONS | {"moorage.segment": "200"})
    host.call("NetworkDriver.DeleteNetwork", NetworkID=NETWORK)
    host.swept()
    assert "eth1" in ports(host)

    host.call("NetworkDriver.DeleteNetwork", NetworkID=other)
    host.swept()

    assert set() == ports(host)
    assert 0 == len(host.records.uplinks)


def test_an_uplink_that_cannot_be_made_fails_the_network_and_leaves_nothing(
    host: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netplugin.driver.SYSTEM_WITHIN", 0.05)
    host.system["ports"].broken = "could not open network device eth1"
    pool, _ = host.pool(CIDR)
    gateway = host.address(pool, gateway=True)
    data = [{"AddressSpace": "moorage-local", "Pool": CIDR, "Gateway": gateway}]
    body = {"NetworkID": NETWORK, "Options": {"com.docker.network.generic": OPTIONS}, "IPv4Data": data}

    assert "could not open network device eth1" in host.refused("NetworkDriver.CreateNetwork", body)
    assert [0, 0, 0] == [len(host.records.tables[name]) for name in ("Network", "Vrf", "Uplink")]
