"""What the framework and the session say to each other; each is written against these, and not against the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from controller.openflow import Refusal


class Link(Protocol):
    """A connection, made by the framework."""

    def send(self, data: bytes) -> None:
        """Send all of it; OSError where that cannot be."""

    def close(self) -> None:
        """End the connection; `Events.disconnected` follows."""


class Events(Protocol):
    """What the framework tells, from its own thread; must not wait."""

    def connected(self, link: Link) -> None:
        """Say that the handshake is done."""

    def disconnected(self, link: Link | None, reason: str) -> None:
        """Say that the connection ended, or (no link) that none could be made."""

    def barrier(self, link: Link, xid: int) -> None:
        """Give the answer to a barrier."""

    def refused(self, link: Link, xid: int, refusal: Refusal) -> None:
        """Give an error."""

    def statistics(self, link: Link, xid: int, entries: bytes, *, more: bool) -> None:
        """Give a part of the answer to a request for flows or meters."""

    def ports_listed(self, link: Link, ports: Mapping[str, int], *, more: bool) -> None:
        """Give a part of the answer to a request for ports: name to number."""

    def port_changed(self, link: Link, name: str, number: int | None) -> None:
        """Say that a port came, changed, or (None) went."""
