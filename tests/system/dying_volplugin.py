"""Starts volplugin so that its process that takes calls dies (SIGKILL) after one of its effects.

An effect is a commit, or a call of a backend's process, which dies with it.  To die before an effect is to die after
the one before it, as far as the host and the records are concerned.
argv[1] is the place of a file with a number: at that effect, counted from when the file appears, the file is removed
and the process killed.  The arbiter then starts a new one, as it would after any crash.  Looks that nobody asked for
are no effects.
"""

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from records.ovsdb import OvsdbStore
from volplugin import agent
from volplugin.system.worker import Worker

ORDER = Path(sys.argv.pop(1))
LOOKS = {"alive", "used", "probe"}  # verbs that change nothing
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


def mortal(effect: Callable[..., Any], counts: Callable[..., bool]) -> Callable[..., Any]:
    """Return the effect with a place to die after it."""

    @functools.wraps(effect)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not counts(*args):
            return effect(*args, **kwargs)
        result = effect(*args, **kwargs)
        step()
        return result

    return run


OvsdbStore.commit = mortal(OvsdbStore.commit, lambda _store, writes: bool(writes))  # type: ignore[method-assign]
Worker._call = mortal(Worker._call, lambda _worker, verb, *_: verb not in LOOKS)  # type: ignore[method-assign]

if __name__ == "__main__":
    agent.main()
