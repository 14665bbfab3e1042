"""What Docker's own API tells of networks: which ones and which endpoints it knows."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec

from daemonkit import docker
from daemonkit.docker import Answer
from netplugin.forgotten import Known


class _Config(Answer, frozen=True):
    subnet: str = ""
    auxiliary_addresses: dict[str, str] | None = None


class _Ipam(Answer, frozen=True):
    driver: str = ""
    config: list[_Config] | None = None


class _Container(Answer, frozen=True):
    endpoint: str = msgspec.field(default="", name="EndpointID")
    ipv4: str = msgspec.field(default="", name="IPv4Address")
    ipv6: str = msgspec.field(default="", name="IPv6Address")


class _Network(Answer, frozen=True):
    id: str
    driver: str = ""
    scope: str = ""
    ipam: _Ipam | None = msgspec.field(default=None, name="IPAM")
    containers: dict[str, _Container] | None = None


class Docker(docker.Docker):
    """What is asked of it."""

    def known(self, driver: str) -> Known:
        """Return the networks of a driver with their endpoints, and what all networks have of addresses.

        Raises:
            DockerAway: no whole answer.

        """
        found = self.get("/networks", list[_Network])
        ours = [self.get(f"/networks/{network.id}", _Network) for network in found if network.driver == driver]
        others = [self.get(f"/networks/{network.id}", _Network) for network in found if _addressed_by(driver, network)]
        return Known(
            networks={n.id: frozenset(c.endpoint for c in (n.containers or {}).values()) for n in ours},
            subnets=frozenset(subnet for network in found for subnet in _subnets(network)),
            held={subnet: _held(network) for network in others for subnet in _subnets(network)},
        )


def _addressed_by(driver: str, network: _Network) -> bool:
    """Whether another driver's network of this host alone has its addresses from the IPAM driver of this name."""
    ipam = network.ipam
    return network.driver != driver and network.scope == "local" and ipam is not None and ipam.driver == driver


def _subnets(network: _Network) -> Iterator[str]:
    for config in (network.ipam.config or ()) if network.ipam is not None else ():
        yield _spelled(config.subnet)


def _held(network: _Network) -> frozenset[str]:
    """Return the addresses of a network's containers, and those kept free for others, as our records spell them."""
    configs = (network.ipam.config or ()) if network.ipam is not None else ()
    kept = (ip for config in configs for ip in (config.auxiliary_addresses or {}).values())
    taken = (ip for container in (network.containers or {}).values() for ip in (container.ipv4, container.ipv6) if ip)
    return frozenset(_spelled(ip.partition("/")[0]).partition("/")[0] for ip in (*kept, *taken))


def _spelled(subnet: str) -> str:
    """Return a subnet as our records spell it: Docker repeats what its user typed, bits of a host included."""
    try:
        return str(ipaddress.ip_network(subnet, strict=False))
    except ValueError:  # of a driver with other ideas
        return subnet
