"""All kinds of backends that there are: ours, and those of other packages."""

from __future__ import annotations

import dataclasses
from importlib.metadata import entry_points

from volplugin.backends import common
from volplugin.backends.glusterfs import GlusterFS
from volplugin.backends.kind import GROUP, BadDefinition, Definition, Kind
from volplugin.backends.local import Local
from volplugin.backends.nfs import Nfs

OURS: dict[str, type[Kind]] = {kind.NAME: kind for kind in (Local, Nfs, GlusterFS)}


def names() -> list[str]:
    """Return the names of all kinds."""
    return sorted({*OURS, *(point.name for point in entry_points(group=GROUP))})


def kind(name: str) -> Kind:
    """Return the kind of that name.

    Raises:
        BadDefinition: there is none, or its package cannot be loaded.

    """
    if name in OURS:
        return OURS[name]()
    for point in entry_points(group=GROUP, name=name):
        try:
            loaded = point.load()()
        except Exception as error:  # other people's code: what it raises is the answer
            raise BadDefinition(f"kind {name} of {point.value} cannot be loaded: {error}") from error
        if not isinstance(loaded, Kind):
            raise BadDefinition(f"kind {name}: {point.value} is not a volplugin.backends.kind.Kind")
        return loaded
    raise BadDefinition(f"there is no kind of backend called {name!r}; there are: {', '.join(names())}")


def checked(backend: Definition) -> Kind:
    """Return the kind of a definition that can be.

    Raises:
        BadDefinition: it cannot.

    """
    found = kind(backend.kind)
    if common.TRASH in backend.options:
        try:
            common.duration(backend.options[common.TRASH])
        except ValueError as error:
            raise BadDefinition(f"{common.TRASH}: {error}") from error
    found.check(dataclasses.replace(backend, options=common.own_options(backend.options)))
    return found
