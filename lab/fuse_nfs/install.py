"""Putting the stand-in on a node."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from lab.node import Node

CHECKOUT = Path(__file__).parents[2]
PROGRAM = "/usr/sbin/mount.nfs"  # mount.nfs4 is a link to it, and it knows by which name it was called


def install(node: Node) -> None:
    """Let `mount -t nfs` and `-t nfs4` on the running node be the stand-in's business, until the node is rebooted."""
    script = node.path("/mount.nfs")
    words = ["env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", "lab.fuse_nfs"]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$0" "$@"\n')
    script.chmod(0o755)
    node.exec("mount", "--bind", script, PROGRAM)
