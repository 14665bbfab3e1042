"""Sees to it that a guard runs as long as this host has leases."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


class Guarding:
    """Called at each change of the leases, so at each renewal: a guard that was killed is back by then."""

    def __init__(self, file: Path, boot: str) -> None:
        self._command = [sys.executable, "-m", "volplugin.leasing.guard", str(file), boot]
        self._guard: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """Start a guard; if an earlier daemon's still runs, ours ends at once, and is tried again next time."""
        if self._guard is None or self._guard.poll() is not None:
            self._guard = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
