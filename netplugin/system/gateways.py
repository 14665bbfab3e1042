"""Actuator of the gateways: addresses of the internal ports that Open vSwitch makes for our routing domains."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from daemonkit.diff import Diff
from netplugin.plan.wiring import GatewayLink, Key
from netplugin.system.forwarding import Forwarding
from netplugin.system.netlink import Netlink
from records.model import GATEWAY_PORT, IpInterface

ALIAS = "moorage:"  # the routing domain's id follows
IPV4 = Path("/proc/sys/net/ipv4/conf")
OURS = re.compile(GATEWAY_PORT + "[0-9a-f]{12}")


class Gateways:
    """Gives the ports their addresses.  The interfaces themselves come and go with the bridge's ports."""

    def __init__(self, netlink: Netlink, forwarding: Forwarding) -> None:
        self._netlink = netlink
        self._forwarding = forwarding

    def read(self, keys: Collection[Key] | None) -> Mapping[Key, GatewayLink]:
        """Return the gateways that have our mark, or addresses under a name of ours."""
        names = None if keys is None else [f"{GATEWAY_PORT}{key[:12]}" for key in keys]
        found = {}
        for link in self._netlink.interfaces(names, prefix=GATEWAY_PORT):
            addresses = frozenset(ipaddress.ip_interface(f"{ip}/{n}") for ip, n in self._netlink.addresses(link.index))
            if link.alias.startswith(ALIAS):
                key = Key(link.alias.removeprefix(ALIAS))
                forwards = not _sixth(addresses) or self._forwarding.well()
                local = _localnet(link.name)
                found[key] = GatewayLink(link.name, addresses, up=link.up, forwarding=forwards, localnet=local)
            elif addresses and OURS.fullmatch(link.name):
                found[Key(f"unmarked {link.name}")] = GatewayLink(link.name, addresses, up=link.up)
        return found

    def apply(self, change: Diff[Key, GatewayLink]) -> Mapping[Key, str]:
        """Set and take away addresses."""
        failed: dict[Key, str] = {}
        wanted = [*change.create.items(), *change.change.items()]
        nothing = {key: GatewayLink(link.name, frozenset(), up=False) for key, link in change.delete.items()}
        for key, link in [*wanted, *nothing.items()]:
            try:
                self._set(key, link)
            except (NetlinkError, OSError) as error:
                failed[key] = f"gateway {link.name}: {error}"
        return failed

    def _set(self, key: Key, link: GatewayLink) -> None:
        try:
            index = self._netlink.index(link.name)
        except OSError:
            if not link.addresses:
                return  # gone with its port
            raise OSError("Open vSwitch has not made its interface (yet)") from None
        alias = ALIAS + key if link.up else ""
        self._netlink.call("set", index=index, ifalias=alias, state="up" if link.up else "down")
        if link.up:
            Path(f"/proc/sys/net/ipv6/conf/{link.name}/accept_ra").write_text("0")  # containers are no routers of ours
            (IPV4 / link.name / "route_localnet").write_text("1")
        if _sixth(link.addresses) and not self._forwarding.well():
            self._forwarding.turn_on()
        have = {ipaddress.ip_interface(f"{ip}/{n}") for ip, n in self._netlink.addresses(index)}
        for gone in have - link.addresses:
            self._netlink.address("del", index, str(gone.ip), gone.network.prefixlen)
        for new in link.addresses - have:
            self._netlink.address("add", index, str(new.ip), new.network.prefixlen, **_more(new))


def _more(address: IpInterface) -> dict[str, Any]:
    """Return what else is said of an address."""
    if address.version == 6:
        return {"flags": 0x02}  # no duplicate detection: every host has this address, and the switch answers for it
    if address.network.prefixlen >= 31:
        return {}  # the last address of two is a container's (RFC 3021)
    return {"broadcast": str(address.network.broadcast_address)}


def _sixth(addresses: Collection[IpInterface]) -> bool:
    return any(own.version == 6 for own in addresses)


def _localnet(name: str) -> bool:
    try:
        return (IPV4 / name / "route_localnet").read_text() == "1\n"
    except FileNotFoundError:  # gone meanwhile
        return False
