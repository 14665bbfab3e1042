"""What a probe finds wrong with a backend, in words for who waits for it."""

from __future__ import annotations

from records.model import Backend
from volplugin.plan.needs import definition
from volplugin.system.worker import Worker, WorkerError

WITHIN = 30.0  # seconds: GlusterFS's client waits 10 s for a silent server, though another one answers


def look(worker: Worker, backend: Backend, known: str = "") -> str:
    """Return the first thing that is not good and what to do about it.

    It is empty where all is good, nobody knows, or `known` says it already.

    The breaker of a backend that hung stays open while something is found wrong, and says what; else it closes.
    """
    try:
        found = worker.ask("probe", WITHIN, backend=definition(backend))
    except WorkerError:  # it hangs as well, or cannot be asked
        return ""
    bad = next((finding for finding in found if not finding["good"]), None)
    if bad is None:
        worker.answers()
        return ""
    said = f"{bad['what']}: {bad['found']}" + (f"; {bad['advice']}" if bad["advice"] else "")
    worker.explain(said)
    return "" if bad["found"] in known else said
