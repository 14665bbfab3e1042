"""What a backend's keeper says of it on this host: for `moorage status`, `moorage backend ls` and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from volplugin.keeper import Keeper
from volplugin.mountinfo import Mounted


def health(keeper: Keeper, table: Sequence[Mounted]) -> dict[str, Any]:
    """Return a backend as this host sees it by the table of mounts; nothing here waits for its server."""
    at = f"{keeper.directory}/"
    return {
        "problem": keeper.problem,
        "hung": keeper.worker.problem is not None,
        "mounted": keeper.shares.among(table) is not None,
        "volumes_mounted": sum(m.target.startswith(at) and m.target != str(keeper.shares.target) for m in table),
        "worker": keeper.worker.pid,
        "size": None if keeper.size is None else dict(keeper.size),
    }
