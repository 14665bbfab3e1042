"""What Docker talks to: the volume driver's methods, and what faults beneath them mean to its user."""

from __future__ import annotations

from flask import Flask

from daemonkit.errors import BadRequest, Unavailable
from daemonkit.metrics import Metrics
from daemonkit.plugin import Translations, create_app
from records import errors
from volplugin import volume_api
from volplugin.backends.kind import BackendError
from volplugin.driver import VolumeDriver

# The first that fits counts.
TRANSLATIONS: Translations = {
    errors.Unavailable: lambda e: Unavailable("records", str(e).removeprefix("records unavailable: ")),
    errors.Invalid: lambda e: BadRequest(f"this cannot be kept in the records: {e}"),
    errors.RecordsError: lambda e: Unavailable("records", str(e)),
    BackendError: lambda e: BadRequest(str(e)),
}


def application(name: str, driver: VolumeDriver, metrics: Metrics) -> Flask:
    """Return the application that the daemon `name` serves."""
    blueprints = [volume_api.blueprint(driver)]
    return create_app(name, ["VolumeDriver"], blueprints, metrics, TRANSLATIONS, on_activate=driver.activated)
