"""The interface that VLAN networks go out by: which one, whether it may be taken, and its record."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from typing import TypeAlias

from daemonkit.errors import BadRequest
from netplugin.options import NetworkOptions
from records.model import DockerNetwork, Host, Uplink, UplinkId
from records.snapshot import Records
from records.writes import Delete, Insert, Keep, Write


@dataclasses.dataclass(frozen=True, slots=True)
class Nic:
    """What is asked of an interface before it becomes an uplink."""

    mtu: int  # bytes
    loopback: bool = False
    bridge: str | None = None  # whose port it is, if it is not an uplink of ours
    addresses: tuple[str, ...] = ()  # but for link-local ones


Nics: TypeAlias = Callable[[str], Nic | None]  # by name; None: there is none of that name


def no_nics(name: str) -> Nic | None:  # noqa: ARG001  # the signature
    """Know of no interface."""
    return None


def fitted(asked: NetworkOptions, configured: str, nics: Nics) -> NetworkOptions:
    """Return the options of a VLAN network with its uplink, and an MTU that this carries.

    Raises:
        BadRequest: there is no such interface, or it cannot be taken; the text says what to do.

    """
    name = asked.uplink or configured
    if not name:
        raise BadRequest(
            "a network of moorage.kind=vlan needs the interface that leads to the VLANs: -o moorage.uplink=NIC, or "
            "[netplugin] uplink in /etc/moorage/moorage.toml"
        )
    nic = nics(name)
    if nic is None:
        raise BadRequest(f"moorage.uplink={name}: this host has no such interface (`ip link` lists them)")
    if nic.loopback:
        raise BadRequest(f"moorage.uplink={name}: the loopback interface leads nowhere")
    if nic.bridge is not None:
        raise BadRequest(f"moorage.uplink={name}: it is a port of bridge {nic.bridge}; take it out of there first")
    if nic.addresses:
        raise BadRequest(
            f"moorage.uplink={name}: it has the address {', '.join(nic.addresses)}, which would stop working; "
            "move that to another interface first"
        )
    if asked.chose_mtu and asked.mtu > nic.mtu:
        raise BadRequest(f"moorage.mtu={asked.mtu} is more than {name} carries, {nic.mtu} bytes")
    return dataclasses.replace(asked, uplink=name, mtu=asked.mtu if asked.chose_mtu else nic.mtu)


def take(records: Records, host: Host, interface: str, ofport: int) -> tuple[UplinkId, list[Write]]:
    """Return the host's uplink of that interface, and the write that makes it (with that port number) or holds it."""
    if (there := records.uplinks.one(host=host.id, interface=interface)) is not None:
        return there.id, [Keep(there)]
    made = Uplink(id=UplinkId(uuid.uuid4()), host=host.id, interface=interface, ofport=ofport)
    return made.id, [Insert(made)]


def leave(records: Records, known: DockerNetwork) -> list[Write]:
    """Return the write that gives up the uplink of a network that goes, if it is the last one on it."""
    uplink = records.uplinks.get(known.uplink)
    if uplink is None or any(other.id != known.id for other in records.docker_networks.of(uplink=uplink.id)):
        return []
    return [Delete(uplink)]
