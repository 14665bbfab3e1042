"""How the size of a volume is kept: what users ask for, and what then enforces it; pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class SizeMode(StrEnum):
    """What `-o size-mode=` asks for."""

    ENFORCE = "enforce"  # by the backend, or not at all
    REPORT = "report"  # nothing enforces it
    IMAGE = "image"  # a file system of that size in a file


# What `Volume.size_by` may say beside the names of what backends can (`volplugin.backends.limits`).
ADVISORY: Final = "report"
IMAGE: Final = "image"
