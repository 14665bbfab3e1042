"""Starts netplugin so that its worker dies (SIGKILL) at one of its effects: before or after a commit, a link, a port.

argv[1] is the place of a file with a number: at that effect, counted from when the file appears, the file is removed
and the process killed.  The arbiter then starts a new worker, as it would after any crash.
"""

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netplugin import agent
from netplugin.system.netlink import Netlink
from netplugin.system.openvswitch import OpenVSwitch
from netplugin.system.rtnetlink import Rtnetlink
from records.ovsdb import OvsdbStore

ORDER = Path(sys.argv.pop(1))
EFFECTS: list[tuple[type, str]] = [
    (OvsdbStore, "commit"),
    (Netlink, "call"),
    (Rtnetlink, "call"),
    (OpenVSwitch, "transact"),
]
COUNTING = threading.Lock()  # requests and the loop have effects at the same time: no number may be skipped
seen = 0


def step() -> None:
    """Count an effect, and die if it is the one."""
    global seen  # noqa: PLW0603  # a process has one life
    with COUNTING:
        if ORDER.exists():
            if seen == int(ORDER.read_text()):
                ORDER.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1


def mortal(effect: Callable[..., Any]) -> Callable[..., Any]:
    """Return the effect with a place to die before and after it."""

    @functools.wraps(effect)
    def run(*args: Any, **kwargs: Any) -> Any:
        step()
        result = effect(*args, **kwargs)
        step()
        return result

    return run


for owner, name in EFFECTS:
    setattr(owner, name, mortal(getattr(owner, name)))

if __name__ == "__main__":
    agent.main()
