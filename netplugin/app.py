"""What Docker talks to: both drivers' methods on one socket, and what faults beneath them mean to its user."""

from __future__ import annotations

from flask import Flask

from daemonkit.errors import BadRequest, Exhausted, Unavailable
from daemonkit.metrics import Metrics
from daemonkit.plugin import Translations, create_app
from netplugin import ipam_api, network_api
from netplugin.driver import NetworkDriver
from netplugin.plan.numbers import NoNumberLeft
from netplugin.pools import Pools
from records import errors

# The first that fits counts.
TRANSLATIONS: Translations = {
    errors.Unavailable: lambda e: Unavailable("records", str(e).removeprefix("records unavailable: ")),
    errors.Invalid: lambda e: BadRequest(f"this cannot be kept in the records: {e}"),
    errors.RecordsError: lambda e: Unavailable("records", str(e)),
    NoNumberLeft: lambda e: Exhausted(str(e)),
}


def application(name: str, driver: NetworkDriver, pools: Pools, metrics: Metrics) -> Flask:
    """Return the application that the daemon `name` serves."""
    drivers = [network_api.blueprint(driver), ipam_api.blueprint(pools)]
    return create_app(name, ["NetworkDriver", "IpamDriver"], drivers, metrics, TRANSLATIONS)
