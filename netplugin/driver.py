"""The network driver: what a call asks goes into the records; then it waits until the system is as they say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import structlog

from daemonkit.errors import Failed
from daemonkit.loop import Key, Loop
from netplugin import portmap, wire
from netplugin.endpoints import Created, Endpoints, Joined
from netplugin.networks import Networks
from netplugin.plan.claims import Look
from netplugin.plan.reservations import reservation_key
from netplugin.plan.rules import parts
from netplugin.plan.wiring import endpoint_key, uplink_key, vrf_key
from netplugin.publishing import Publishing
from netplugin.uplinks import Nics, no_nics
from records.errors import RecordsError
from records.model import DockerNetwork, Endpoint
from records.snapshot import Records
from records.store import Change, Store

log = structlog.get_logger()

SYSTEM_WITHIN = 5.0  # seconds that a call waits for links, ports and rules: they take milliseconds, or fail
LEAVE_WITHIN = 0.1  # seconds that Leave waits until the link's deletion has begun; nothing is lost where it has not

EPHEMERAL = range(32768, 61000)  # the kernel's own default of ip_local_port_range (ip-sysctl.rst)

JoinMode = Literal["lenient", "strict"]


class NetworkDriver:
    """Networks and endpoints of this host's Docker."""

    def __init__(
        self,
        store: Store,
        host: str,
        loop: Loop[Records],
        *,
        join: JoinMode = "lenient",
        join_within: float = 2.0,
        unconfirmed: Callable[[], None] = lambda: None,
        look: Look = lambda *_: None,
        ephemeral: Callable[[], range] = lambda: EPHEMERAL,
        nics: Nics = no_nics,
        uplink: str = "",
        left: set[str] | None = None,
    ) -> None:
        self._networks = Networks(store, host, nics, uplink)
        self._endpoints = Endpoints(store, host)
        self._publishing = Publishing(store, host, look, ephemeral)
        self._store = store
        self._loop = loop
        self._join = join
        self._join_within = join_within
        self._unconfirmed = unconfirmed
        self._left = set() if left is None else left
        self._changed = threading.Condition()
        store.watch(self._notice)

    def create_network(self, request: wire.CreateNetwork) -> None:
        """Make a network, gateway and rules included.

        Raises:
            PluginError: it cannot be made; nothing of it is left.

        """
        repeated = self._networks.known(request.network_id)
        made = self._networks.create(request)
        reasons = self._loop.settle(self._network_keys(made), time.monotonic() + SYSTEM_WITHIN)
        if reasons:
            if not repeated:  # else containers may be on it, and the loop goes on mending it
                self._networks.delete(request.network_id)
            raise Failed(f"network {request.network_id[:12]} could not be made: {_reason(reasons.values())}")

    def delete_network(self, docker_id: str) -> None:
        """Forget a network; what it was made of goes after the answer."""
        self._networks.delete(docker_id)

    def create_endpoint(self, request: wire.CreateEndpoint) -> Created:
        """Record an endpoint; its link and port are begun at once, and waited for by `join`."""
        portmap.parse(request.options)  # they are claimed later; what cannot be is refused before anything is made
        return self._endpoints.create(request)

    def delete_endpoint(self, request: wire.EndpointOnly) -> None:
        """Forget an endpoint; its link and port go after the answer."""
        self._endpoints.delete(request)

    def join(self, request: wire.Join) -> Joined:
        """Give the endpoint to its sandbox, when its flows are in.

        Raises:
            PluginError: the link, the port or the flows cannot be made: the reason is the text.

        """
        joined = self._endpoints.join(request)
        again = request.endpoint_id in self._left
        self._left.discard(request.endpoint_id)
        # Each Join of a container that publishes ports tells of them; only for its endpoints the sandbox matters.
        publishes = bool((request.options or {}).get(wire.PORTMAP))
        noting = self._note_sandbox(joined.endpoint, request.sandbox_key) if publishes else None
        key = endpoint_key(joined.endpoint)
        until = time.monotonic() + SYSTEM_WITHIN
        try:
            reasons = self._loop.settle([("links", key), ("ports", key)], until, look=again)
            if reasons:
                raise Failed(f"endpoint {request.endpoint_id[:12]} could not be made: {_reason(reasons.values())}")
            self._confirm(joined.endpoint)
        finally:
            if noting is not None:
                noting.join()
        return joined

    def leave(self, request: wire.EndpointOnly) -> None:
        """Let the endpoint's ports go to another of its container, or be free, and begin to delete its link.

        Docker would take the link back now, which the kernel needs 20 ms for, and has no use for it; a link that it
        does not find it does not wait for.
        """
        self._publishing.leave(request.endpoint_id)
        if self._store.snapshot().endpoints.one(docker_id=request.endpoint_id) is not None:
            self._left.add(request.endpoint_id)
            self._loop.settle([("links", request.endpoint_id)], time.monotonic() + LEAVE_WITHIN)

    def program(self, request: wire.ProgramExternalConnectivity) -> None:
        """Publish ports; those that the container had before are replaced.

        Raises:
            PluginError: a port is not to be had, or its rules cannot be made; nothing of it is left.

        """
        rows = self._publishing.program(request)
        keys: set[Key] = {("reservations", reservation_key(row)) for row in rows}
        keys |= {("firewall", part) for row in rows for part in parts(row)}
        reasons = self._loop.settle(keys, time.monotonic() + SYSTEM_WITHIN, look=False) if keys else {}
        if reasons:
            self._publishing.revoke(request.endpoint_id)
            raise Failed(f"ports could not be published: {_reason(reasons.values())}")

    def revoke(self, request: wire.EndpointOnly) -> None:
        """Take back what `program` did."""
        self._publishing.revoke(request.endpoint_id)

    def _note_sandbox(self, endpoint: Endpoint, sandbox: str) -> threading.Thread:
        """Record the sandbox while Join waits for other things: it is needed later, if ever."""

        def note() -> None:
            try:
                self._endpoints.note_sandbox(endpoint, sandbox)
            except RecordsError as error:
                log.warning("sandbox not recorded", endpoint=endpoint.docker_id[:12], reason=str(error))

        thread = threading.Thread(target=note, name="sandbox", daemon=True)
        thread.start()
        return thread

    def _confirm(self, endpoint: Endpoint) -> None:
        """Wait for the controller's word; where there is none in time, go on and say so, or (strict) refuse."""

        def now() -> Endpoint | None:
            return self._store.snapshot().endpoints.get(endpoint.id)

        with self._changed:
            decided = self._changed.wait_for(
                lambda: (e := now()) is None or e.up or e.problem is not None, timeout=self._join_within
            )
        found = now()
        if found is not None and found.problem is not None and not found.up:
            raise Failed(f"endpoint {endpoint.docker_id[:12]} has no flows: {found.problem}")
        if not decided:
            text = f"the controller has not confirmed its flows within {self._join_within:g} s (is it running?)"
            if self._join == "strict":
                raise Failed(f"endpoint {endpoint.docker_id[:12]}: {text}")
            self._unconfirmed()
            log.warning("joined without confirmed flows", endpoint=endpoint.docker_id[:12], reason=text)

    def _notice(self, changes: Sequence[Change]) -> None:
        self._left.difference_update(c.old.docker_id for c in changes if isinstance(c.old, Endpoint) and c.new is None)
        if any(isinstance(change.new or change.old, Endpoint) for change in changes):
            with self._changed:
                self._changed.notify_all()

    def _network_keys(self, made: DockerNetwork) -> list[Key]:
        records = self._store.snapshot()
        vrf, uplink = records.vrfs.get(made.vrf), records.uplinks.get(made.uplink)
        keys: list[Key] = [("firewall", "ipv4"), ("firewall", "ipv6")]
        if vrf is not None:
            keys += [("ports", vrf_key(vrf)), ("gateways", vrf_key(vrf))]
        if uplink is not None:
            keys += [("ports", uplink_key(uplink.interface)), ("uplinks", uplink_key(uplink.interface))]
        return keys


def _reason(reasons: Iterable[str]) -> str:
    return "; ".join(sorted(set(reasons)))
