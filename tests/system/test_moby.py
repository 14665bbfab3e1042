"""What Docker's own tests ask of the networks of a plugin, asked of ours on a real dockerd.

The names in the comments are those of moby's tests (integration-cli/docker_cli_network_unix_test.go, and
integration/networking); what these tests show of dockerd alone is not repeated.
"""

import json

import pytest

from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from tests.system.steps import CREATE, SLEEP, address, container, inspect, lost, network, nothing_left, refused

pytestmark = pytest.mark.system


def mac(host: Host, name: str, on: str) -> str:
    return inspect(host, name, f".NetworkSettings.Networks.{on}.MacAddress")


def default_route(host: Host, name: str) -> str:
    routes = host.docker("exec", name, "ip", "route").splitlines()
    return next(line.split()[2] for line in routes if line.startswith("default"))


def test_a_network_of_several_subnets_with_ranges_gateways_and_kept_addresses(host: Host) -> None:
    """DockerNetworkIPAMMultipleNetworks, DockerNetworkIPAMOptions."""
    first = ("--subnet", "10.1.0.0/24", "--ip-range", "10.1.0.64/26", "--gateway", "10.1.0.254")
    second = ("--subnet", "10.2.0.0/24", "--gateway", "10.2.0.9", "--aux-address", "nas=10.2.0.7")
    host.docker(*CREATE, *first, *second, "--ipam-opt", "team=a", "-o", "opt1=drv1", "several")
    container(host, "a1", "several")
    container(host, "b1", "several", "--ip", "10.2.0.5")

    ipam = json.loads(host.docker("network", "inspect", "-f", "{{json .IPAM}}", "several"))
    assert {"team": "a"} == ipam["Options"]
    # The client sends the subnets in any order, and a container gets an address of the first.
    gateways = {"10.1.0.6": "10.1.0.254", "10.2.0.1": "10.2.0.9"}
    assert gateways[address(host, "a1", "several")[:8]] == default_route(host, "a1")
    assert "10.2.0.9" == default_route(host, "b1")
    assert "10.2.0.7 is already in use" in refused(lambda: container(host, "c1", "several", "--ip", "10.2.0.7"))
    assert 0 == lost(host, "a1", "10.2.0.5")


def test_a_network_of_the_bridge_driver_takes_its_addresses_from_ours(host: Host) -> None:
    """DockerNetworkCustomIPAM."""
    host.docker("network", "create", "-d", "bridge", "--ipam-driver", "moorage-net", "--subnet", "10.3.0.0/24", "other")
    container(host, "a1", "other")

    assert "10.3.0.2" == address(host, "a1", "other")
    host.docker("rm", "-f", "a1")
    container(host, "b1", "other", "--ip", "10.3.0.2")
    host.docker("rm", "-f", "b1")
    host.docker("network", "rm", "other")
    nothing_left(host)


def test_networks_joined_while_a_container_is_stopped_are_there_when_it_starts_and_after_restarts(host: Host) -> None:
    """ConnectDisconnectToStoppedContainer, ConnectPreferredIPStoppedContainer, RestartWithMultipleNetworks."""
    network(host, "one", "10.1.0.0/24")
    network(host, "two", "10.2.0.0/24")
    host.docker("create", "--name", "a1", "--network", "one", IMAGE, *SLEEP)
    host.docker("network", "connect", "--ip", "10.2.0.77", "two", "a1")
    seen = []
    for command in ("start", "restart"):
        host.docker(command, *(("-t", "0") if command == "restart" else ()), "a1")
        seen.append(address(host, "a1", "two"))
        assert 0 == lost(host, "a1", "10.1.0.1")
        assert 0 == lost(host, "a1", "10.2.0.1")
    host.docker("stop", "-t", "0", "a1")
    host.docker("network", "disconnect", "two", "a1")
    host.docker("start", "a1")

    assert ["10.2.0.77"] * 2 == seen
    assert "eth1" not in host.docker("exec", "a1", "ls", "/sys/class/net")


def test_an_address_of_ones_own_needs_a_subnet_of_ones_own(host: Host) -> None:
    """UnsupportedRequiredIP."""
    host.docker(*CREATE, "any")

    assert "user configured subnets" in refused(lambda: container(host, "a1", "any", "--ip", "10.192.0.9"))


def test_link_local_addresses_are_set_by_docker_and_change_nothing_else(host: Host) -> None:
    """ConnectLinkLocalIP: these are never sent to a plugin."""
    network(host, "web")
    container(host, "a1", "web")
    host.docker("create", "--name", "b1", "--network", "web", "--link-local-ip", "169.254.3.4", IMAGE, *SLEEP)
    host.docker("start", "b1")

    assert "169.254.3.4" in host.docker("exec", "b1", "ip", "-4", "addr", "show", "dev", "eth0")
    assert 0 == lost(host, "b1", address(host, "a1", "web"))


@pytest.mark.parametrize("options", [(), ("--internal",)], ids=["nat", "internal"])
def test_containers_are_found_by_name_and_alias_on_their_networks_only(host: Host, options: tuple[str, ...]) -> None:
    """UserDefinedNetworkConnectDisconnectAlias, AnonymousEndpoint, InternalNetworkDNS."""
    network(host, "web", "10.1.0.0/24", *options)
    network(host, "db", "10.2.0.0/24", *options)
    container(host, "a1", "web", "--network-alias", "front")
    container(host, "b1", "web")
    container(host, "c1", "db")

    for name in ("a1", "front"):
        assert 0 == lost(host, "b1", name, count=1)
    assert "bad address" in refused(lambda: host.docker("exec", "c1", "ping", "-c", "1", "front"))


def test_networks_may_have_strange_names_and_be_removed_together(host: Host) -> None:
    """CreateDeleteSpecialCharacters, DeleteMultiple."""
    names = ["test@#$", "kiwl$%^", "10.1.0.0"]
    for number, name in enumerate(names):
        network(host, name, f"10.{number + 1}.0.0/24")
    host.docker("network", "rm", *names)

    nothing_left(host)


def test_containers_of_one_network_never_share_a_mac(host: Host) -> None:
    """MACAddrOnRestart: the second container starts while the first is stopped, and may get its address."""
    network(host, "web", "10.1.0.0/29")
    container(host, "a1", "web")
    host.docker("stop", "-t", "0", "a1")
    for name in ("b1", "c1", "d1", "e1"):
        container(host, name, "web")
    host.docker("start", "a1")

    macs = [mac(host, name, "web") for name in ("a1", "b1", "c1", "d1", "e1")]
    assert 5 == len(set(macs))
    assert 0 == lost(host, "a1", address(host, "b1", "web"))


def test_a_subnet_of_two_addresses_is_the_gateway_and_a_container(host: Host, lab: Lab) -> None:
    """PointToPoint."""
    network(host, "pair", "10.4.0.0/31")
    container(host, "a1", "pair")

    assert "10.4.0.1" == address(host, "a1", "pair")
    assert 0 == lost(host, "a1", "10.4.0.0")
    assert 0 == lost(host, "a1", lab.outside.address)


def test_ipv6_may_be_off_in_a_container_of_a_network_of_both_families(host: Host) -> None:
    """ContainerDisabledIPv6."""
    network(host, "dual", "10.5.0.0/24", "--ipv6", "--subnet", "fd05::/64")
    container(host, "a1", "dual", "--sysctl", "net.ipv6.conf.all.disable_ipv6=1")
    container(host, "b1", "dual")

    assert 0 == lost(host, "a1", address(host, "b1", "dual"))


def test_the_way_out_moves_with_the_networks_of_a_container(host: Host, lab: Lab) -> None:
    """GatewaySelection, GatewayErrorOnNetDisconnect: of equal networks the first by name is the way out."""
    network(host, "zeta", "10.1.0.0/24")
    network(host, "alpha", "10.2.0.0/24")
    container(host, "a1", "zeta")
    ways = [default_route(host, "a1")]
    for command in ("connect", "disconnect"):
        host.docker("network", command, "alpha", "a1")
        ways.append(default_route(host, "a1"))
        assert 0 == lost(host, "a1", lab.outside.address)

    assert ["10.1.0.1", "10.2.0.1", "10.1.0.1"] == ways
