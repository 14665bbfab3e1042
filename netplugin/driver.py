"""The network driver: what a call asks goes into the records; then it waits until the system is as they say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import structlog

from daemonkit.errors import Failed
from daemonkit.loop import Key, Loop
from netplugin import wire
from netplugin.endpoints import Created, Endpoints, Joined
from netplugin.networks import Networks
from netplugin.plan.wiring import endpoint_key, vrf_key
from records.model import DockerNetwork, Endpoint
from records.snapshot import Records
from records.store import Change, Store

log = structlog.get_logger()

SYSTEM_WITHIN = 5.0  # seconds that a call waits for links, ports and rules: they take milliseconds, or fail

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
    ) -> None:
        self._networks = Networks(store, host)
        self._endpoints = Endpoints(store, host)
        self._store = store
        self._loop = loop
        self._join = join
        self._join_within = join_within
        self._unconfirmed = unconfirmed
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
        key = endpoint_key(joined.endpoint)
        until = time.monotonic() + SYSTEM_WITHIN
        reasons = self._loop.settle([("links", key), ("ports", key)], until, look=False)
        if reasons:
            raise Failed(f"endpoint {request.endpoint_id[:12]} could not be made: {_reason(reasons.values())}")
        self._confirm(joined.endpoint)
        return joined

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
        if any(isinstance(change.new or change.old, Endpoint) for change in changes):
            with self._changed:
                self._changed.notify_all()

    def _network_keys(self, made: DockerNetwork) -> list[Key]:
        vrf = self._store.snapshot().vrfs.get(made.vrf)
        keys: list[Key] = [("firewall", "ipv4"), ("firewall", "ipv6")]
        if vrf is not None:
            keys += [("ports", vrf_key(vrf)), ("gateways", vrf_key(vrf))]
        return keys


def _reason(reasons: Iterable[str]) -> str:
    return "; ".join(sorted(set(reasons)))
