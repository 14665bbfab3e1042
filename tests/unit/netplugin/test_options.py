import re
from typing import Any

import pytest

from daemonkit.errors import BadRequest
from netplugin import options
from netplugin.options import NetworkOptions, Publish, parse, publish, refuse_unknown
from records.model import DEFAULT_TENANT, Gateway, Isolation, Kind

GENERIC, INTERNAL = "com.docker.network.generic", "com.docker.network.internal"


def given(**generic: str) -> dict[str, Any]:
    """Return options as Docker sends them: `moorage_mtu` stands for `moorage.mtu`."""
    return {GENERIC: {key.replace("_", "."): value for key, value in generic.items()}}


def refusal(asked: dict[str, Any]) -> str:
    with pytest.raises(BadRequest) as caught:
        parse(asked)
    return str(caught.value)


VLAN = {"moorage.kind": "vlan", "moorage.segment": "100", "moorage.uplink": "eth1"}


def test_a_vlan_is_named_by_its_number_and_interface_and_its_gateway_is_elsewhere() -> None:
    found = parse({GENERIC: VLAN})

    assert (Kind.VLAN, 100, "eth1", Gateway.ROUTED) == (found.kind, found.segment, found.uplink, found.gateway)
    assert Gateway.NONE is parse({GENERIC: VLAN | {"moorage.gateway": "none"}}).gateway
    assert parse({GENERIC: {"moorage.kind": "vlan", "moorage.segment": "4094"}}).uplink is None


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"moorage.segment": "0"}, "moorage.segment='0': expected a VLAN id, 1 to 4094"),
        ({"moorage.segment": "4095"}, "moorage.segment='4095': expected a VLAN id"),
        ({"moorage.segment": "-1"}, "moorage.segment='-1': expected a VLAN id"),
        ({"moorage.segment": "0x64"}, "moorage.segment='0x64': expected a VLAN id"),
        ({"moorage.segment": ""}, "moorage.segment='': expected a VLAN id"),
        ({"moorage.segment": "\u0661"}, "expected a VLAN id"),
        ({"moorage.uplink": ""}, "moorage.uplink='': expected the name of a network interface"),
        ({"moorage.uplink": "a" * 16}, "expected the name of a network interface"),
        ({"moorage.uplink": "../eth1"}, "expected the name of a network interface"),
        ({"moorage.uplink": "eth1 "}, "expected the name of a network interface"),
        ({"moorage.gateway": "nat"}, "a router of the physical network, where this host cannot masquerade; use routed"),
        (
            {"moorage.isolation": "tenant"},
            "moorage.isolation=tenant: which other networks reach a VLAN is up to its ro",
        ),
        ({"moorage.isolation": "open"}, "moorage.isolation=open"),
    ],
)
def test_what_cannot_be_of_a_vlan_is_refused_in_words(more: dict[str, str], text: str) -> None:
    assert text in refusal({GENERIC: VLAN | more})


def test_a_vlan_needs_a_number_and_cannot_be_internal() -> None:
    assert "needs -o moorage.segment=ID" in refusal({GENERIC: {"moorage.kind": "vlan"}})
    assert "it cannot be --internal: for no default route, moorage.gateway=none" in refusal(
        {GENERIC: VLAN, INTERNAL: True}
    )


DEFAULTS = NetworkOptions(
    given={},
    name=None,
    tenant=DEFAULT_TENANT,
    kind=Kind.BRIDGE,
    gateway=Gateway.NAT,
    isolation=Isolation.NETWORK,
    internal=False,
    mtu=1500,
    prefix="eth",
)


@pytest.mark.parametrize("nothing", [None, {}, {GENERIC: None}, {GENERIC: {}}, {INTERNAL: False}])
def test_who_says_nothing_gets_a_bridge_of_this_host_with_a_way_out(nothing: dict[str, Any] | None) -> None:
    assert DEFAULTS == parse(nothing)


@pytest.mark.parametrize(
    ("asked", "name", "value"),
    [
        ({"moorage.network": "web", "moorage.kind": "bridge"}, "name", "web"),
        ({"moorage.tenant": "Team-a_1.x"}, "tenant", "Team-a_1.x"),
        ({"moorage.kind": "bridge"}, "kind", Kind.BRIDGE),
        ({"moorage.gateway": "nat"}, "gateway", Gateway.NAT),
        ({"moorage.gateway": "routed"}, "gateway", Gateway.ROUTED),
        ({"moorage.gateway": "none"}, "gateway", Gateway.NONE),
        ({"moorage.isolation": "network"}, "isolation", Isolation.NETWORK),
        ({"moorage.isolation": "tenant"}, "isolation", Isolation.TENANT),
        ({"moorage.isolation": "open"}, "isolation", Isolation.OPEN),
        ({"moorage.mtu": "576"}, "mtu", 576),
        ({"moorage.mtu": "65535"}, "mtu", 65535),
        ({"com.docker.network.driver.mtu": "1400"}, "mtu", 1400),
        ({"com.docker.network.driver.mtu": "1400", "moorage.mtu": "1400"}, "mtu", 1400),
        ({"com.docker.network.container_iface_prefix": "net-a_1"}, "prefix", "net-a_1"),
    ],
)
def test_every_option_says_one_thing(asked: dict[str, str], name: str, value: object) -> None:
    found = parse({GENERIC: asked})

    assert value == getattr(found, name)
    assert asked == found.given


def test_an_internal_network_has_no_gateway() -> None:
    found = parse({INTERNAL: True})

    assert (True, Gateway.NONE) == (found.internal, found.gateway)


def test_keys_of_dockers_own_drivers_are_kept_unread() -> None:
    others = {"com.docker.network.bridge.name": "br0", "com.docker.network.host_ipv4": "192.0.2.1", "rec.vlan": "42"}

    assert others == parse({GENERIC: others, "com.docker.network.enable_ipv4": True}).given


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (given(moorage_network="web"), "moorage.kind=vxlan are not available in this version; use -o moorage.kind=br"),
        (given(moorage_kind="vxlan"), "networks of moorage.kind=vxlan are not available"),
        (given(moorage_kind="macvlan"), "moorage.kind='macvlan': expected one of bridge, vlan, vxlan"),
        (given(moorage_kind=""), "moorage.kind='': expected one of bridge, vlan, vxlan"),
        (given(moorage_segment="7"), "moorage.segment has no meaning for a network of moorage.kind=bridge"),
        (given(moorage_uplink="eno1"), "moorage.uplink has no meaning for a network of moorage.kind=bridge"),
        (given(moorage_gateway="snat"), "moorage.gateway='snat': expected one of nat, routed, none"),
        ({INTERNAL: True} | given(moorage_isolation="open"), "moorage.isolation=open needs a gateway"),
        (
            given(moorage_isolation="tenant", moorage_gateway="none"),
            "moorage.isolation=tenant needs a gateway to reach other networks by: moorage.gateway=none has none",
        ),
        ({INTERNAL: True} | given(moorage_isolation="tenant"), "an --internal network has none"),
        (given(moorage_isolation="all"), "moorage.isolation='all': expected one of network, tenant, open"),
        (given(moorage_mtu="575"), "moorage.mtu='575': expected 576 to 65535 bytes"),
        (given(moorage_mtu="65536"), "moorage.mtu='65536': expected 576 to 65535 bytes"),
        (given(moorage_mtu="1500 "), "moorage.mtu='1500 ': expected 576"),
        (given(moorage_mtu="\u0661\u0665\u0660\u0660"), "expected 576"),  # int() would take these digits for 1500
        (given(moorage_mtu="-1500"), "expected 576"),
        (given(moorage_mtu="1e3"), "expected 576"),
        (given(com_docker_network_driver_mtu="0"), "com.docker.network.driver.mtu='0': expected 576"),
        (
            given(moorage_mtu="1500", com_docker_network_driver_mtu="1400"),
            "moorage.mtu=1500 contradicts com.docker.network.driver.mtu=1400",
        ),
        ({INTERNAL: True} | given(moorage_gateway="nat"), "moorage.gateway=nat contradicts it"),
        ({INTERNAL: "true"}, "com.docker.network.internal must be true or false"),
        ({GENERIC: ["moorage.mtu"]}, "com.docker.network.generic must be a map of texts"),
        ({GENERIC: {"moorage.mtu": 1500}}, "com.docker.network.generic must be a map of texts"),
    ],
)
def test_what_cannot_be_is_refused_in_words(asked: dict[str, Any], text: str) -> None:
    assert text in refusal(asked)


BAD_NAMES = [
    "",
    ".",
    "..",
    "-a",
    "a/b",
    "../../etc/passwd",
    "a b",
    "a\n",
    "a\0",
    "$(reboot)",
    "`reboot`",
    "a;reboot",
    "a|b",
    "'",
    '"',
    "\u00e9",
    "a" * 64,
    "a" * 300,
]


@pytest.mark.parametrize("key", ["moorage.network", "moorage.tenant"])
@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_name_is_letters_and_digits_so_that_it_means_nothing_anywhere(key: str, name: str) -> None:
    assert f"{key}={name!r}: expected 1 to 63 letters" in refusal({GENERIC: {key: name}})


@pytest.mark.parametrize("text", ["", "1eth", "a/b", "eth\n", "e h", "abcdefghijk", "eth%", "../x"], ids=ascii)
def test_a_prefix_of_interfaces_must_be_one(text: str) -> None:
    assert "expected a letter and up to 9" in refusal({GENERIC: {options.DOCKER_PREFIX: text}})


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("moorage.nework", "did you mean moorage.network?"),
        ("moorage.MTU", "did you mean moorage.mtu?"),
        ("Moorage.Gateway", "did you mean moorage.gateway?"),
        ("moorage.isolate", "did you mean moorage.isolation?"),
        ("moorage.", "known are moorage.gateway, moorage.isolation, moorage.kind, moorage.mtu, moorage.network"),
        ("moorage.zzz", "known are moorage.gateway, "),
    ],
)
def test_an_option_that_does_not_exist_is_refused_with_the_one_that_was_meant(key: str, hint: str) -> None:
    text = refusal({GENERIC: {key: "1"}})

    assert text.startswith(f"unknown option {key!r}; ")
    assert hint in text


def test_where_no_option_exists_none_is_suggested() -> None:
    with pytest.raises(BadRequest, match=re.escape("unknown option 'moorage.x'; known are none")):
        refuse_unknown({"moorage.x": "1"}, frozenset())


@pytest.mark.parametrize("generic", [{}, {"moorage.publish": "driver"}])
def test_we_publish_ports_unless_docker_is_asked_to(generic: dict[str, str]) -> None:
    assert Publish.DRIVER is publish(parse({"com.docker.network.generic": generic}).given)
    assert Publish.DOCKER is publish(parse({"com.docker.network.generic": {"moorage.publish": "docker"}}).given)


@pytest.mark.parametrize(
    "more",
    [
        {"moorage.gateway": "none"},
        {"moorage.gateway": "routed"},
        {"moorage.isolation": "tenant"},
        {"moorage.kind": "vlan", "moorage.segment": "7"},
    ],
)
def test_what_docker_publishes_has_dockers_way_out_only(more: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="makes Docker's gateway bridge the way out"):
        parse({"com.docker.network.generic": {"moorage.publish": "docker", **more}})


def test_an_internal_network_has_no_ports_for_docker_to_publish() -> None:
    options = {"com.docker.network.internal": True, "com.docker.network.generic": {"moorage.publish": "docker"}}
    with pytest.raises(BadRequest, match="makes Docker's gateway bridge the way out"):
        parse(options)
    with pytest.raises(BadRequest, match="expected one of driver, docker"):
        parse({"com.docker.network.generic": {"moorage.publish": "me"}})
