"""What a plugin call can answer besides success: one tree, rendered in one place (`daemonkit.plugin`).

The text of an error is for the person who typed `docker`: it names the thing, what is wrong with it, and where one
can, what to do.
"""

from __future__ import annotations


class PluginError(Exception):
    """Base of them all; its text is shown by `docker` as it stands."""


class BadRequest(PluginError):
    """The request itself is wrong: malformed, out of bounds, contradicting itself."""


class NotFound(PluginError):
    """A thing that the request names does not exist."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name} does not exist")


class InUse(PluginError):
    """A thing that the request would take or remove is held by another."""

    def __init__(self, kind: str, name: str, holder: str) -> None:
        super().__init__(f"{kind} {name} is in use by {holder}")


class Exhausted(PluginError):
    """There is none left of what the request asks for."""


class Unavailable(PluginError):
    """Something the request needs cannot be reached now; repeating the command later may succeed."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} unavailable: {reason}")


class Failed(PluginError):
    """The system refused what the request needs."""
