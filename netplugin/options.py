"""What users may say with `-o` at `docker network create` and with `driver-opt` at an endpoint; pure."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from daemonkit.errors import BadRequest
from netplugin import wire
from records.model import DEFAULT_TENANT, Gateway, Isolation, Kind

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")  # goes into rows and metrics, never into a shell
PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,9}")  # of an interface's name: IFNAMSIZ leaves room for a number
INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")  # Linux takes more, but no machine has such names
VLAN_MAX = 4094  # IEEE 802.1Q: 0 says "no VLAN", 4095 is reserved
DEFAULT_MTU = 1500  # bytes: Ethernet's; a bridge has no underlay to fit into
MTU_MIN, MTU_MAX = 576, 65535  # bytes: IPv4's least (RFC 791) and veth's most
MTU_MIN_IPV6 = 1280  # bytes (RFC 8200 section 5)

OURS = "moorage."
KNOWN = frozenset(
    f"{OURS}{key}"
    for key in ("network", "kind", "tenant", "gateway", "isolation", "mtu", "publish", "segment", "uplink")
) | {f"{OURS}{key}{version}" for key in ("subnet", "range", "router") for version in ("", "6")}
DOCKER_MTU = "com.docker.network.driver.mtu"
DOCKER_PREFIX = "com.docker.network.container_iface_prefix"

PUBLISH = "moorage.publish"


class Publish(StrEnum):
    """Who serves the published ports of a network's containers, and is their way out."""

    DRIVER = "driver"  # we do: containers have one interface, and all their traffic passes the switch
    DOCKER = "docker"  # Docker's gateway bridge, by a second interface; `docker port` shows them


E = TypeVar("E", Kind, Gateway, Isolation, Publish)


@dataclasses.dataclass(frozen=True, slots=True)
class NetworkOptions:
    """A network as its user asked for it."""

    given: Mapping[str, str]
    name: str | None
    tenant: str
    kind: Kind
    gateway: Gateway
    isolation: Isolation
    internal: bool
    mtu: int
    prefix: str
    segment: int | None = None  # VLAN id of a VLAN network
    uplink: str | None = None  # its interface on this host; None: as the host is configured

    @property
    def chose_mtu(self) -> bool:
        """Whether the user named an MTU."""
        return not self.given.keys().isdisjoint(("moorage.mtu", DOCKER_MTU))


def parse(options: Mapping[str, Any] | None) -> NetworkOptions:
    """Return the options of a CreateNetwork.

    Raises:
        BadRequest: an unknown or impossible one; the text names it.

    """
    options = options or {}
    generic = options.get(wire.GENERIC) or {}
    if not isinstance(generic, Mapping) or not all(isinstance(v, str) for v in generic.values()):
        raise BadRequest(f"{wire.GENERIC} must be a map of texts")
    refuse_unknown(generic, KNOWN)
    internal = options.get(wire.INTERNAL, False)
    if not isinstance(internal, bool):
        raise BadRequest(f"{wire.INTERNAL} must be true or false")
    name = _name(generic, "moorage.network")
    kind = _kind(generic, named=name is not None)
    physical = kind is Kind.VLAN
    behind = Gateway.ROUTED if physical else Gateway.NAT
    gateway = _choice(generic, "moorage.gateway", Gateway, Gateway.NONE if internal else behind)
    isolation = _choice(generic, "moorage.isolation", Isolation, Isolation.NETWORK)
    (_check_vlan if physical else _check_bridge)(gateway, isolation, internal=internal)
    if publish(generic) is Publish.DOCKER and (physical or (gateway, isolation) != (Gateway.NAT, Isolation.NETWORK)):
        raise BadRequest(
            f"{PUBLISH}=docker makes Docker's gateway bridge the way out, so the network cannot be a VLAN or "
            "--internal, nor have moorage.gateway or moorage.isolation"
        )
    return NetworkOptions(
        given=dict(generic),
        name=name,
        tenant=_name(generic, "moorage.tenant") or DEFAULT_TENANT,
        kind=kind,
        gateway=gateway,
        isolation=isolation,
        internal=internal,
        mtu=_mtu(generic),
        prefix=prefix(generic),
        segment=_vlan(generic) if physical else None,
        uplink=_interface(generic) if physical else None,
    )


def _kind(generic: Mapping[str, str], *, named: bool) -> Kind:
    kind = _choice(generic, "moorage.kind", Kind, Kind.VXLAN if named else Kind.BRIDGE)
    if kind is Kind.VXLAN:
        raise BadRequest(
            f"networks of moorage.kind={kind} are not available in this version; use -o moorage.kind=bridge"
        )
    for key in ("moorage.segment", "moorage.uplink"):
        if kind is Kind.BRIDGE and key in generic:
            raise BadRequest(f"{key} has no meaning for a network of moorage.kind=bridge")
    return kind


def publish(generic: Mapping[str, str]) -> Publish:
    """Return who publishes ports."""
    return _choice(generic, PUBLISH, Publish, Publish.DRIVER)


def prefix(generic: Mapping[str, str]) -> str:
    """Return what interfaces in containers are called before their number."""
    text = generic.get(DOCKER_PREFIX, "eth")
    if not PREFIX.fullmatch(text):
        raise BadRequest(f"{DOCKER_PREFIX}={text!r}: expected a letter and up to 9 letters, digits, - or _")
    return text


def refuse_unknown(given: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse `moorage.*` keys that mean nothing, so that a slip of the pen is not silently ignored."""
    for key in given:
        if key.lower().startswith(OURS) and key not in known:
            near = difflib.get_close_matches(key.lower().removeprefix(OURS), [k.removeprefix(OURS) for k in known], n=1)
            hint = f"; did you mean {OURS}{near[0]}?" if near else f"; known are {', '.join(sorted(known)) or 'none'}"
            raise BadRequest(f"unknown option {key!r}{hint}")


def _name(generic: Mapping[str, str], key: str) -> str | None:
    text = generic.get(key)
    if text is not None and not NAME.fullmatch(text):
        raise BadRequest(
            f"{key}={text!r}: expected 1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit"
        )
    return text


def _choice(generic: Mapping[str, str], key: str, kind: type[E], default: E) -> E:
    text = generic.get(key)
    if text is None:
        return default
    try:
        return kind(text)
    except ValueError:
        raise BadRequest(f"{key}={text!r}: expected one of {', '.join(kind)}") from None


def _check_bridge(gateway: Gateway, isolation: Isolation, *, internal: bool) -> None:
    """Refuse ways to others for a network that has none."""
    if internal and gateway is not Gateway.NONE:
        raise BadRequest(f"an --internal network has no way out: moorage.gateway={gateway} contradicts it")
    if isolation is not Isolation.NETWORK and gateway is Gateway.NONE:
        without = "an --internal network" if internal else "moorage.gateway=none"
        raise BadRequest(
            f"moorage.isolation={isolation} needs a gateway to reach other networks by: {without} has none"
        )


def _check_vlan(gateway: Gateway, isolation: Isolation, *, internal: bool) -> None:
    """Refuse what a host that is not the gateway cannot do."""
    if internal:
        raise BadRequest("a VLAN is a way out, so it cannot be --internal: for no default route, moorage.gateway=none")
    if gateway is Gateway.NAT:
        raise BadRequest(
            "moorage.gateway=nat: the gateway of a VLAN is a router of the physical network, where this host cannot "
            "masquerade; use routed (its address is --gateway) or none"
        )
    if isolation is not Isolation.NETWORK:
        raise BadRequest(
            f"moorage.isolation={isolation}: which other networks reach a VLAN is up to its router; leave it out"
        )


def _vlan(generic: Mapping[str, str]) -> int:
    text = generic.get("moorage.segment")
    if text is None:
        raise BadRequest("a network of moorage.kind=vlan needs -o moorage.segment=ID: the physical network's VLAN id")
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= VLAN_MAX:
        raise BadRequest(f"moorage.segment={text!r}: expected a VLAN id, 1 to {VLAN_MAX}")
    return int(text)


def _interface(generic: Mapping[str, str]) -> str | None:
    text = generic.get("moorage.uplink")
    if text is not None and not INTERFACE.fullmatch(text):
        raise BadRequest(f"moorage.uplink={text!r}: expected the name of a network interface of this host")
    return text


def _mtu(generic: Mapping[str, str]) -> int:
    if "moorage.mtu" in generic and generic.get(DOCKER_MTU, generic["moorage.mtu"]) != generic["moorage.mtu"]:
        raise BadRequest(f"moorage.mtu={generic['moorage.mtu']} contradicts {DOCKER_MTU}={generic[DOCKER_MTU]}")
    for key in ("moorage.mtu", DOCKER_MTU):
        if (text := generic.get(key)) is not None:
            if not re.fullmatch(r"[0-9]{1,5}", text) or not MTU_MIN <= int(text) <= MTU_MAX:
                raise BadRequest(f"{key}={text!r}: expected {MTU_MIN} to {MTU_MAX} bytes")
            return int(text)
    return DEFAULT_MTU
