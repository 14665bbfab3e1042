"""Published ports in the records: claimed, replaced, handed on, released; decides and commits, touches no system."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from daemonkit.errors import NotFound
from netplugin import portmap, wire
from netplugin.plan.claims import Claims, Look, inherit
from records.hosts import own_host
from records.model import Endpoint, Published
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Delete, Write

log = structlog.get_logger()


class Publishing:
    """Ports of this host as its Docker publishes them."""

    def __init__(self, store: Store, host: str, look: Look, ephemeral: Callable[[], range]) -> None:
        self._store = store
        self._host = host
        self._look = look
        self._ephemeral = ephemeral
        self._claiming = threading.Lock()  # the database keeps equal claims apart, but not 0.0.0.0 from 127.0.0.1

    def program(self, request: wire.ProgramExternalConnectivity) -> list[Published]:
        """Claim what is asked for, in the place of what the container had; return it.

        Raises:
            NotFound: no such endpoint.
            PluginError: malformed, or a port is not to be had.

        """
        asked = portmap.parse(request.options)

        def decision(records: Records) -> tuple[list[Write], Endpoint | None]:
            own_host(records, self._host)
            endpoint = records.endpoints.one(docker_id=request.endpoint_id)
            if endpoint is None:
                if asked:
                    raise NotFound(
                        "endpoint", f"{request.endpoint_id[:12]} (in Moorage's records of host {self._host})"
                    )
                return [], None
            return Claims(records, endpoint, self._look, self._ephemeral()).claim(asked), endpoint

        with self._claiming:
            endpoint = decide(self._store, decision)
        if endpoint is None:
            return []
        rows = list(self._store.snapshot().published.of(endpoint=endpoint.id))
        if rows:
            log.info("ports published", endpoint=request.endpoint_id[:12], ports=[spelled(row) for row in rows])
        return rows

    def revoke(self, docker_id: str) -> None:
        """Release the ports of an endpoint; there may be none."""

        def decision(records: Records) -> tuple[list[Write], bool]:
            endpoint = records.endpoints.one(docker_id=docker_id)
            rows = [] if endpoint is None else list(records.published.of(endpoint=endpoint.id))
            return [Delete(row) for row in rows], bool(rows)

        if decide(self._store, decision):
            log.info("ports released", endpoint=docker_id[:12])

    def leave(self, docker_id: str) -> None:
        """Hand the ports of an endpoint on to another of its container, or release them."""

        def decision(records: Records) -> tuple[list[Write], bool]:
            endpoint = records.endpoints.one(docker_id=docker_id)
            writes = [] if endpoint is None else inherit(records, endpoint)
            return writes, bool(writes)

        if decide(self._store, decision):
            log.info("ports handed on or released", endpoint=docker_id[:12])


def spelled(row: Published) -> str:
    """Return a published port as `docker port` spells it."""
    ip = f"[{row.host_ip}]" if row.host_ip.version == 6 else str(row.host_ip)
    return f"{row.port}/{row.protocol} -> {ip}:{row.host_port}"
