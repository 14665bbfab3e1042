"""Whose a volume is: TENANT/ before its name, or the option `tenant`, or the default tenant's."""

from __future__ import annotations

import uuid

from daemonkit.errors import BadRequest
from records.model import DEFAULT_TENANT, Tenant, TenantId
from records.snapshot import Records
from records.writes import Insert, Keep, Write
from volplugin.names import check_volume


def tenant_of(records: Records, name: str, asked: str | None) -> tuple[Tenant, list[Write]]:
    """Return the tenant of a new volume, and the writes that make sure of it.

    Raises:
        BadRequest: the name and the option contradict each other.

    """
    said = check_volume(name)["tenant"]
    if said and asked and said != asked:
        raise BadRequest(f"tenant={asked} contradicts the name {name}, which is {said}'s")
    called = said or asked or DEFAULT_TENANT
    if (tenant := records.tenants.one(name=called)) is not None:
        return tenant, [Keep(tenant)]
    tenant = Tenant(id=TenantId(uuid.uuid4()), name=called)
    return tenant, [Insert(tenant)]
