"""The version of Moorage that runs here."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """Return the installed version; "0" where Moorage runs from a checkout that is not installed."""
    try:
        return metadata.version("moorage")
    except metadata.PackageNotFoundError:
        return "0"
