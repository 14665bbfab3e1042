"""What Docker's API tells of containers, as little of it as a trace needs."""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True, rename="pascal"):
    """Base of what is read; keys that are not named here are ignored."""


class OnNetwork(Answer, frozen=True):
    """A container on one network."""

    network_id: str = msgspec.field(default="", name="NetworkID")
    endpoint_id: str = msgspec.field(default="", name="EndpointID")
    ip: str = msgspec.field(default="", name="IPAddress")
    ipv6: str = msgspec.field(default="", name="GlobalIPv6Address")
    mac: str = msgspec.field(default="", name="MacAddress")


class _Settings(Answer, frozen=True):
    networks: dict[str, OnNetwork] | None = None


class _HostConfig(Answer, frozen=True):
    network_mode: str = ""


class Listed(Answer, frozen=True):
    """A container of `docker ps -a`."""

    id: str
    names: list[str]
    state: str = ""
    network_settings: _Settings | None = None
    host_config: _HostConfig | None = None

    @property
    def name(self) -> str:
        """Its name, without the slash that Docker puts before it."""
        return next((n[1:] for n in self.names if n.count("/") == 1), self.id[:12])

    @property
    def networks(self) -> dict[str, OnNetwork]:
        """Its networks, by Docker's names of them."""
        return (self.network_settings and self.network_settings.networks) or {}

    @property
    def mode(self) -> str:
        """Whose network stack it has: `host`, `none`, `container:ID`, or a network's name."""
        return self.host_config.network_mode if self.host_config is not None else ""
