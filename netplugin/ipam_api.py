"""Docker's IpamDriver methods: decode, do, reply."""

from __future__ import annotations

from flask import Blueprint, Response

from daemonkit.plugin import decode, reply
from netplugin import wire
from netplugin.pools import GLOBAL, LOCAL, Pools


def blueprint(pools: Pools) -> Blueprint:
    """Return the methods (docker/libnetwork: docs/ipam.md)."""
    api = Blueprint("ipam", __name__)

    @api.post("/IpamDriver.GetCapabilities")
    def get_capabilities() -> Response:
        # No MAC: dockerd would make a random one, and ours, made from the address, comes back with it.
        # No replay: the records are the truth, and a replayed request looks like a second one for a taken address.
        return reply({"RequiresMACAddress": False, "RequiresRequestReplay": False})

    @api.post("/IpamDriver.GetDefaultAddressSpaces")
    def get_default_address_spaces() -> Response:
        return reply({"LocalDefaultAddressSpace": LOCAL, "GlobalDefaultAddressSpace": GLOBAL})

    @api.post("/IpamDriver.RequestPool")
    def request_pool() -> Response:
        subnet = pools.request_pool(decode(wire.RequestPool))
        return reply({"PoolID": str(subnet.id), "Pool": str(subnet.cidr), "Data": {}})

    @api.post("/IpamDriver.ReleasePool")
    def release_pool() -> Response:
        pools.release_pool(decode(wire.ReleasePool).pool_id)
        return reply({})

    @api.post("/IpamDriver.RequestAddress")
    def request_address() -> Response:
        subnet, ip = pools.request_address(decode(wire.RequestAddress))
        return reply({"Address": f"{ip}/{subnet.cidr.prefixlen}", "Data": {}})

    @api.post("/IpamDriver.ReleaseAddress")
    def release_address() -> Response:
        pools.release_address(decode(wire.ReleaseAddress))
        return reply({})

    return api
