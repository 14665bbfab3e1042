"""`moorage.sticky`: whoever carries the name next has the same address and MAC, whatever happened meanwhile."""

from __future__ import annotations

import ipaddress
import json
import sys
from collections.abc import Iterator

import pytest

from lab.command import CommandFailed, wait_for
from lab.host import Host
from lab.lab import Lab
from lab.moorage import CHECKOUT
from tests.system.steps import address, container, inspect, lost, network, nothing_left, refused

pytestmark = pytest.mark.system

MAIN = "from cli.main import main; main()"
NULL = ("network", "create", "-d", "moorage-net", "--ipam-driver", "null")


@pytest.fixture(scope="module")
def kept(lab: Lab) -> Iterator[Host]:
    """A host with the network `web`, whose addresses Docker asks for, and `own`, where the driver chooses them."""
    host = lab.host
    network(host, "web")
    host.docker(*NULL, "-o", "moorage.subnet=10.2.0.0/24", "-o", "moorage.subnet6=fd00:2::/64", "own")
    yield host
    host.repair()
    nothing_left(host)


def who(host: Host, name: str, on: str) -> tuple[str, str]:
    """Return address and MAC of a container."""
    return address(host, name, on), inspect(host, name, f".NetworkSettings.Networks.{on}.MacAddress")


def sticky(name: str, on: str, *more: str) -> str:
    return ",".join([f"name={on}", f"driver-opt=moorage.sticky={name}", *more])


def test_where_the_driver_chooses_addresses_a_network_works_as_any_other(lab: Lab, kept: Host) -> None:
    container(kept, "one", "own")
    container(kept, "two", "own")

    mine, gateway = address(kept, "one", "own"), inspect(kept, "one", ".NetworkSettings.Networks.own.MacAddress")
    assert ipaddress.ip_address(mine) in ipaddress.ip_network("10.2.0.0/24")
    assert gateway == "02:42:" + ipaddress.ip_address(mine).packed.hex(":")
    assert f"{mine}/24" in kept.docker("network", "inspect", "own")
    assert lost(kept, "two", "one") == 0  # by name
    assert lost(kept, "two", mine) == 0
    ipv6 = inspect(kept, "one", ".NetworkSettings.Networks.own.GlobalIPv6Address")
    assert ipaddress.ip_address(ipv6) in ipaddress.ip_network("fd00:2::/64")
    assert lost(kept, "two", ipv6) == 0
    assert lost(kept, "one", lab.outside.address) == 0
    kept.docker("rm", "-f", "one", "two")


def test_a_name_has_its_address_again_where_the_driver_chooses_it(kept: Host) -> None:
    container(kept, "db", sticky("db", "own"))
    before = who(kept, "db", "own")
    kept.docker("rm", "-f", "db")
    container(kept, "other", "own")  # nobody else gets it
    assert address(kept, "other", "own") != before[0]
    kept.procs["moorage-netplugin"].kill()
    kept.start_netplugin()

    container(kept, "db", sticky("db", "own"))

    assert who(kept, "db", "own") == before
    kept.docker("restart", "-t", "1", "db")
    assert who(kept, "db", "own") == before
    assert lost(kept, "other", before[0]) == 0
    said = refused(lambda: container(kept, "db2", sticky("db", "own")))
    assert "the name db (moorage.sticky) is in use by endpoint" in said
    kept.docker("rm", "-f", "db", "db2", "other")


def test_a_restart_of_docker_leaves_addresses_that_the_driver_chose(kept: Host) -> None:
    container(kept, "db", sticky("db", "own"), "--restart", "always")
    before = who(kept, "db", "own")

    kept.procs["dockerd"].stop()
    kept.start_docker()

    wait_for("db to run again", lambda: inspect(kept, "db", ".State.Running") == "true", 20)
    assert who(kept, "db", "own") == before
    kept.docker("rm", "-f", "db")


def test_a_container_is_given_an_address_of_its_users_choice(kept: Host) -> None:
    container(kept, "x1", "name=own,driver-opt=moorage.ip=10.2.0.77,driver-opt=moorage.ip6=fd00:2::77")

    assert address(kept, "x1", "own") == "10.2.0.77"
    assert inspect(kept, "x1", ".NetworkSettings.Networks.own.GlobalIPv6Address") == "fd00:2::77"
    said = refused(lambda: container(kept, "x2", "name=own,driver-opt=moorage.ip=10.2.0.77"))
    assert "address 10.2.0.77 is already in use as that of endpoint" in said
    kept.docker("rm", "-f", "x1", "x2")


def test_a_name_keeps_the_address_its_user_chose_and_the_mac(kept: Host) -> None:
    said = refused(lambda: container(kept, "zoo1", sticky("zoo1", "web")))
    assert "start it with --ip ADDRESS" in said
    assert "--ipam-driver null -o moorage.subnet=CIDR" in said
    kept.docker("rm", "-f", "zoo1")

    container(kept, "zoo1", sticky("zoo1", "web", "ip=10.1.0.11"), "--mac-address", "0a:00:00:00:00:11")
    before = who(kept, "zoo1", "web")
    kept.docker("rm", "-f", "zoo1")
    said = refused(lambda: container(kept, "thief", "web", "--ip", "10.1.0.11"))
    assert "address 10.1.0.11 is kept for zoo1 (moorage.sticky)" in said
    said = refused(lambda: container(kept, "zoo2", sticky("zoo1", "web", "ip=10.1.0.12")))
    assert "moorage.sticky=zoo1 has address 10.1.0.11 on this network, not 10.1.0.12" in said
    kept.procs["moorage-netplugin"].kill()
    kept.start_netplugin()

    container(kept, "zoo1", sticky("zoo1", "web", "ip=10.1.0.11"))

    assert who(kept, "zoo1", "web") == before == ("10.1.0.11", "0a:00:00:00:00:11")
    kept.docker("rm", "-f", "zoo1", "zoo2", "thief")


def test_two_containers_of_a_network_cannot_have_one_mac(kept: Host) -> None:
    container(kept, "m1", "web", "--mac-address", "0a:00:00:00:00:21")

    said = refused(lambda: container(kept, "m2", "web", "--mac-address", "0a:00:00:00:00:21"))

    assert "MAC address 0a:00:00:00:00:21 is in use by endpoint" in said
    kept.docker("rm", "-f", "m1", "m2")


def test_what_is_kept_is_listed_and_given_up(kept: Host) -> None:
    listed = json.loads(moorage(kept, "sticky", "--json"))
    assert [(row["name"], row["address"], row["carried"]) for row in listed if row["name"] == "zoo1"] == [
        ("zoo1", "10.1.0.11", False)
    ]
    with pytest.raises(CommandFailed, match="nothing is kept for nobody"):
        moorage(kept, "sticky", "rm", "web", "nobody")

    moorage(kept, "sticky", "rm", "web", "zoo1")

    container(kept, "free", "web", "--ip", "10.1.0.11")
    assert address(kept, "free", "web") == "10.1.0.11"
    kept.docker("rm", "-f", "free")


def test_several_options_are_given_at_once_and_at_a_running_container(kept: Host) -> None:
    container(kept, "all1", sticky("all1", "own", "driver-opt=moorage.rate=10mbit/2mbit"))
    kept.docker("network", "connect", "--driver-opt", "moorage.sticky=All1", "--ip", "10.1.0.99", "web", "all1")
    before = who(kept, "all1", "own"), who(kept, "all1", "web")

    kept.docker("restart", "-t", "1", "all1")

    assert (who(kept, "all1", "own"), who(kept, "all1", "web")) == before
    assert address(kept, "all1", "web") == "10.1.0.99"
    kept.docker("rm", "-f", "all1")


def moorage(host: Host, *argv: str) -> str:
    """Run the command line on the host."""
    return host.exec("env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-c", MAIN, *argv)
