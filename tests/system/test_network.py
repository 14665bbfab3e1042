"""A network of Moorage as its users see it, on a real Docker and a real Open vSwitch."""

import json

import pytest

from lab.command import wait_for
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from lab.traces import drops
from tests.system.steps import CREATE, address, container, inspect, lost, network, nothing_left, refused

pytestmark = pytest.mark.system


@pytest.fixture
def web(host: Host) -> Host:
    """A host with network `web` (10.1.0.0/24) and a container `a` (10.1.0.10) on it."""
    network(host, "web")
    container(host, "a1", "web", "--ip", "10.1.0.10")
    return host


def test_the_first_packets_of_a_new_container_pass_by_address_and_by_name(web: Host) -> None:
    for target in ("10.1.0.10", "a1"):
        out = web.docker("run", "--rm", "--network", "web", IMAGE, "ping", "-c", "5", "-i", "0.1", target)

        assert " 0% packet loss" in out


def test_a_container_reaches_its_gateway_and_the_outside_only_through_nat(web: Host, lab: Lab) -> None:
    assert 0 == lost(web, "a1", "10.1.0.1")
    assert 0 == lost(web, "a1", lab.outside.address)
    assert not lab.outside.pings("10.1.0.10")


def test_tcp_passes_between_containers_and_to_the_outside(web: Host, lab: Lab) -> None:
    web.docker("exec", "-d", "a1", "httpd", "-f", "-p", "80", "-h", "/www")
    fetch = "for try in $(seq 50); do wget -qO- http://a1/ && exit; done; exit 1"  # the server takes a moment
    got = web.docker("run", "--rm", "--network", "web", IMAGE, "sh", "-c", fetch)
    lab.outside.spawn("server", "busybox", "nc", "-l", "-p", "7777", "-e", "echo", "from outside")
    said = web.docker("exec", "a1", "nc", lab.outside.address, "7777")

    assert "hello\n" == got
    assert "from outside\n" == said


def test_the_host_reaches_its_containers(web: Host) -> None:
    assert web.pings("10.1.0.10", count=3)


def test_networks_do_not_reach_each_other(web: Host) -> None:
    network(web, "db", "10.2.0.0/24")
    container(web, "c1", "db")

    assert 0 == lost(web, "c1", "10.2.0.1")
    assert 5 == lost(web, "c1", "10.1.0.10")
    assert 5 == lost(web, "a1", address(web, "c1", "db"))


def test_a_container_that_sends_as_another_is_dropped_and_counted(web: Host) -> None:
    container(web, "b1", "web")
    before = sum(drops(web).values())
    web.in_netns("b1", "ip", "addr", "add", "10.1.0.99/24", "dev", "eth0")
    ping = ("ping", "-c", "3", "-i", "0.1", "-W", "1")
    false_ip = web.in_netns("b1", *ping, "-I", "10.1.0.99", "10.1.0.10", check=False)
    web.in_netns("b1", "ip", "link", "set", "eth0", "address", "02:42:0a:01:00:99")
    false_mac = web.in_netns("b1", *ping, "10.1.0.10", check=False)

    assert "100% packet loss" in false_ip
    assert "100% packet loss" in false_mac
    assert sum(drops(web).values()) > before


def test_no_frame_goes_past_the_switch_into_the_host(web: Host, lab: Lab) -> None:
    port = "mv-" + inspect(web, "a1", ".NetworkSettings.Networks.web.EndpointID")[:12]
    for mac in (web.exec("cat", f"/sys/class/net/{port}/address").strip(), "ff:ff:ff:ff:ff:ff"):
        web.in_netns("a1", "ip", "neigh", "replace", "10.1.0.1", "lladdr", mac, "dev", "eth0")

        assert 3 == lost(web, "a1", "10.1.0.1", count=3)
        assert 3 == lost(web, "a1", lab.outside.address, count=3)


def test_an_internal_network_has_no_way_out_and_no_gateway(host: Host, lab: Lab) -> None:
    network(host, "inner", "10.3.0.0/24", "--internal")
    container(host, "x1", "inner")
    container(host, "y1", "inner")

    assert 0 == lost(host, "x1", address(host, "y1", "inner"))
    assert "default" not in host.docker("exec", "x1", "ip", "route")
    assert not host.reaches("x1", lab.outside.address)
    wait_for("no gateway port", lambda: "mg" not in host.vsctl("list-ports", "moorage0"), 10)  # an older one may go yet


def test_connect_and_disconnect_on_a_running_container(web: Host) -> None:
    network(web, "db", "10.2.0.0/24")
    container(web, "c1", "db")
    web.docker("network", "connect", "db", "a1")

    assert 0 == lost(web, "a1", address(web, "c1", "db"))

    web.docker("network", "disconnect", "db", "a1")

    assert 5 == lost(web, "a1", address(web, "c1", "db"))
    assert 0 == lost(web, "a1", "10.1.0.1")


def test_inspect_shows_the_address_and_a_mac_made_of_it(web: Host) -> None:
    settings = json.loads(inspect(web, "a1", "json .NetworkSettings.Networks.web"))

    assert ("10.1.0.10", "02:42:0a:01:00:0a", "10.1.0.1") == (
        settings["IPAddress"],
        settings["MacAddress"],
        settings["Gateway"],
    )


def test_a_mac_of_the_users_is_kept(web: Host) -> None:
    container(web, "m1", "web", "--mac-address", "02:00:00:00:00:33")

    assert 0 == lost(web, "a1", address(web, "m1", "web"))
    assert "02:00:00:00:00:33" == web.docker("exec", "m1", "cat", "/sys/class/net/eth0/address").strip()


def test_both_families_at_once(host: Host) -> None:
    network(host, "dual", "10.4.0.0/24", "--ipv6", "--subnet", "fd00:4::/64")
    container(host, "x1", "dual")
    container(host, "y1", "dual")
    v6 = inspect(host, "y1", ".NetworkSettings.Networks.dual.GlobalIPv6Address")

    wait_for("the address to be usable", lambda: host.docker("exec", "x1", "ping", "-6", "-c", "1", "-W", "1", v6), 10)
    assert 0 == lost(host, "x1", address(host, "y1", "dual"))
    assert "0% packet loss" in host.docker("exec", "x1", "ping", "-6", "-c", "3", "-i", "0.1", v6)
    assert "0% packet loss" in host.docker("exec", "x1", "ping", "-6", "-c", "3", "-i", "0.1", "fd00:4::1")


def test_the_mtu_asked_for_is_that_of_the_container(host: Host) -> None:
    network(host, "small", "10.5.0.0/24", "-o", "moorage.mtu=1400")
    container(host, "x1", "small")

    assert "1400" == host.docker("exec", "x1", "cat", "/sys/class/net/eth0/mtu").strip()


def test_addresses_are_handed_out_in_turn_and_a_freed_one_rests(host: Host) -> None:
    network(host, "turn", "10.6.0.0/24")
    seen = []
    for _ in range(3):
        container(host, "x1", "turn")
        seen.append(address(host, "x1", "turn"))
        host.docker("rm", "-f", "x1")

    assert ["10.6.0.2", "10.6.0.3", "10.6.0.4"] == seen


def test_what_cannot_be_is_refused_with_the_reason_and_leaves_nothing(web: Host) -> None:
    texts = [
        refused(lambda options=options: web.docker(*CREATE, *options, "bad"))
        for options in (
            ("--subnet", "10.1.0.128/25"),
            ("--subnet", "10.9.0.0/24", "-o", "moorage.mut=1400"),
            ("--subnet", "10.9.0.0/24", "-o", "moorage.mtu=12"),
            ("--subnet", "10.9.0.0/24", "-o", "moorage.network=a;rm -rf /"),
            ("--subnet", "10.9.0.0/24", "-o", "moorage.network=../../etc"),
            ("--subnet", "10.9.0.0/24", "-o", "moorage.kind=vxlan"),
        )
    ]
    taken = refused(lambda: container(web, "b1", "web", "--ip", "10.1.0.10"))

    for words, text in zip(
        (
            "overlaps 10.1.0.0/24",
            "did you mean moorage.mtu",
            "expected 576 to 65535",
            "moorage.network=",
            "'../../etc'",
            "vxlan",
        ),
        texts,
        strict=True,
    ):
        assert words in text
    assert "10.1.0.10 is already in use" in taken

    web.docker("rm", "-f", "a1", "b1")
    web.docker("network", "rm", "web")
    nothing_left(web)


def test_a_full_subnet_says_so(host: Host) -> None:
    network(host, "tiny", "10.7.0.0/30")
    container(host, "x1", "tiny")

    assert "no address is left in subnet 10.7.0.0/30" in refused(lambda: container(host, "y1", "tiny"))


def test_removing_a_network_leaves_nothing_behind(web: Host) -> None:
    web.docker("rm", "-f", "a1")
    web.docker("network", "rm", "web")

    nothing_left(web)


def test_dockers_own_ipam_driver_works_too(host: Host) -> None:
    host.docker("network", "create", "-d", "moorage-net", "--subnet", "10.8.0.0/24", "plain")
    container(host, "x1", "plain")
    container(host, "y1", "plain")

    assert 0 == lost(host, "x1", address(host, "y1", "plain"))
    assert 0 == lost(host, "x1", "10.8.0.1")
