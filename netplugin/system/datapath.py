"""Which of Open vSwitch's datapaths this host uses."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Datapath = Literal["system", "netdev"]

MODULE = Path("/sys/module/openvswitch")


def datapath(configured: Literal["auto", "system", "netdev"]) -> Datapath:
    """Return the datapath: the kernel's where its module is loaded (Open vSwitch's start does), else userspace."""
    if configured != "auto":
        return configured
    return "system" if MODULE.exists() else "netdev"
