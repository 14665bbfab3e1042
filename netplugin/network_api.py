"""Docker's NetworkDriver methods: decode, do, reply."""

from __future__ import annotations

from flask import Blueprint, Response

from daemonkit.plugin import decode, reply
from netplugin import options, wire
from netplugin.driver import NetworkDriver
from records.model import Gateway


def blueprint(driver: NetworkDriver) -> Blueprint:
    """Return the methods (docker/libnetwork: docs/remote.md)."""
    api = Blueprint("network", __name__)

    @api.post("/NetworkDriver.GetCapabilities")
    def get_capabilities() -> Response:
        # `local`: each Docker keeps its own list of networks; `global` fails on 20.10 outside of swarm (PROTOCOL 2.12).
        return reply({"Scope": "local", "ConnectivityScope": "local", "GwAllocChecker": True})

    @api.post("/NetworkDriver.GwAllocCheck")
    def gw_alloc_check() -> Response:
        asked = options.parse(decode(wire.GwAllocCheck).options)
        without = asked.gateway is Gateway.NONE
        return reply({"SkipIPv4": without, "SkipIPv6": without})

    @api.post("/NetworkDriver.AllocateNetwork")
    def allocate_network() -> Response:
        # Only swarm asks; our answer replaces the user's options, so it repeats them (PROTOCOL rule 26).
        return reply({"Options": decode(wire.AllocateNetwork).options or {}})

    @api.post("/NetworkDriver.FreeNetwork")
    def free_network() -> Response:
        decode(wire.NetworkOnly)
        return reply({})

    @api.post("/NetworkDriver.CreateNetwork")
    def create_network() -> Response:
        driver.create_network(decode(wire.CreateNetwork))
        return reply({})

    @api.post("/NetworkDriver.DeleteNetwork")
    def delete_network() -> Response:
        driver.delete_network(decode(wire.NetworkOnly).network_id)
        return reply({})

    @api.post("/NetworkDriver.CreateEndpoint")
    def create_endpoint() -> Response:
        made = driver.create_endpoint(decode(wire.CreateEndpoint))
        chosen = {"MacAddress": made.endpoint.mac} if made.chose_mac else {}
        if made.chose_addresses:
            chosen |= {"Address": str(made.endpoint.ipv4 or ""), "AddressIPv6": str(made.endpoint.ipv6 or "")}
        return reply({"Interface": chosen})

    @api.post("/NetworkDriver.DeleteEndpoint")
    def delete_endpoint() -> Response:
        driver.delete_endpoint(decode(wire.EndpointOnly))
        return reply({})

    @api.post("/NetworkDriver.EndpointOperInfo")
    def endpoint_oper_info() -> Response:
        # What it says is shown nowhere, and an error fails the start on 20.10 (rule 20): the body is not looked at.
        return reply({"Value": {}})

    @api.post("/NetworkDriver.Join")
    def join() -> Response:
        joined = driver.join(decode(wire.Join))
        return reply(
            wire.JoinReply(
                interface_name=wire.InterfaceName(src_name=joined.endpoint.peer, dst_prefix=joined.prefix),
                gateway=str(joined.gateway or ""),
                gateway_ipv6=str(joined.gateway_ipv6 or ""),
                # Without an IPv4 gateway Docker would add a second interface, on docker_gwbridge (PROTOCOL 2.6).
                disable_gateway_service=joined.gateway is None and not joined.second,
            )
        )

    @api.post("/NetworkDriver.Leave")
    def leave() -> Response:
        driver.leave(decode(wire.EndpointOnly))
        return reply({})

    @api.post("/NetworkDriver.ProgramExternalConnectivity")
    def program_external_connectivity() -> Response:
        driver.program(decode(wire.ProgramExternalConnectivity))
        return reply({})

    @api.post("/NetworkDriver.RevokeExternalConnectivity")
    def revoke_external_connectivity() -> Response:
        driver.revoke(decode(wire.EndpointOnly))
        return reply({})

    @api.post("/NetworkDriver.DiscoverNew")
    def discover_new() -> Response:
        decode(wire.Discovery)
        return reply({})  # hosts know each other from the records

    @api.post("/NetworkDriver.DiscoverDelete")
    def discover_delete() -> Response:
        decode(wire.Discovery)
        return reply({})

    return api
