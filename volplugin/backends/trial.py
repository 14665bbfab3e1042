"""Mounting a backend's share where nobody sees it, to know whether one can; nothing of it is left, however it ends."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import msgspec

from volplugin.backends import programs
from volplugin.backends.kind import BackendError, Definition

TARGET = Path("/run/moorage/trial")  # seen in the trial's own mount namespace only
# The first process of a PID namespace is the trial: whatever client it started ends with it
APART = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--")


def mount(backend: Definition, within: float) -> None:
    """Mount the share, look whether it answers, and end what that took.

    Raises:
        BackendError: why it cannot be mounted, or that it took more than `within` seconds.

    """
    call = {"verb": "mount", "arguments": {"backend": dataclasses.asdict(backend), "target": str(TARGET)}}
    worker = [*APART, sys.executable, "-m", "volplugin.worker"]
    ended = programs.run(worker, within, stdin=msgspec.json.encode(call).decode() + "\n")
    try:
        answer = msgspec.json.decode(ended.output, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise BackendError(f"the trial ended with status {ended.code}: {ended.words}") from error
    if "error" in answer:
        raise BackendError(str(answer["error"]))
