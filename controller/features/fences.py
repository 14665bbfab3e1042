"""A host that lost a volume without having given it back reaches the volume's storage servers no more."""

from __future__ import annotations

from collections.abc import Iterator

from controller.features.drops import drop
from controller.flow import Flow
from controller.match import ip, ip_dst
from controller.pipeline import Feature, Reason, Table
from controller.view import Barred

_ABOVE_ALL = 500  # priority: whoever sends, by whatever port


def servers(barred: Barred) -> Iterator[Flow]:
    """What containers, the host through a gateway port, and routed networks send to them."""
    for address in barred.servers:
        match = (ip(address.version), ip_dst(address))
        yield drop(Feature.FENCES, Table.CLASSIFY, _ABOVE_ALL, match, Reason.FENCED)


def fixed() -> Iterator[Flow]:
    """Nothing: a host without fences has no flows of them."""
    return iter(())
