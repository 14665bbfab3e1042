"""Docker's volume protocol as values: what each call carries and what it answers.

Source: moby `volume/drivers/proxy.go` and `adapter.go` (20.10 to 29).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemonkit.wire import Wire


class Create(Wire, frozen=True, kw_only=True):
    name: str
    opts: dict[str, str] | None = None


class Named(Wire, frozen=True, kw_only=True):
    """Body of Remove, Get and Path."""

    name: str


class Mount(Wire, frozen=True, kw_only=True):
    """Body of Mount and Unmount; `id` is of one container's use of the volume, renewed at its next start."""

    name: str
    id: str


class Listing(Wire, frozen=True, kw_only=True):
    """Body of List and Capabilities: `{}`."""


class Volume(Wire, frozen=True, kw_only=True):
    """A volume as Docker shows it; `created_at` is RFC 3339: any other text makes Docker lose the volume."""

    name: str
    mountpoint: str = ""
    created_at: str
    status: Mapping[str, Any]
