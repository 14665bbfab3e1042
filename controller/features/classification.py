"""By the port a packet came in: its segment and its routing domain."""

from __future__ import annotations

from collections.abc import Iterator

from controller import fields
from controller.actions import load
from controller.features.drops import drop
from controller.flow import Flow, flow
from controller.match import in_port
from controller.pattern import Pattern
from controller.pipeline import FROM_GATEWAY, Feature, Reason, Table
from controller.view import Attachment, Domain

_FEATURE, _TABLE = Feature.CLASSIFICATION, Table.CLASSIFY
_HOST = load(FROM_GATEWAY, fields.REG0)
_CAME = Pattern(_FEATURE, _TABLE, 100, (fields.IN_PORT,), goto=Table.PORT_SECURITY)


def endpoint(at: Attachment) -> Iterator[Flow]:
    """From an endpoint."""
    actions = (load(at.zone, fields.REG4), load(at.segment, fields.METADATA))
    yield _CAME.flow(at.port.to_bytes(4), actions=actions, meter=at.send_meter)


def gateway(domain: Domain) -> Iterator[Flow]:
    """From the host: in the routing domain, in no segment yet."""
    actions = (_HOST, load(domain.zone, fields.REG4))
    yield flow(_FEATURE, _TABLE, 100, (in_port(domain.port),), actions, Table.PORT_SECURITY)


def fixed() -> Iterator[Flow]:
    """From anywhere else."""
    yield drop(_FEATURE, _TABLE, 0, (), Reason.UNKNOWN_PORT)
