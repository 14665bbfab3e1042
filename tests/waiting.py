"""Waiting in tests: for conditions, and for threads with what they met."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence


def until(condition: Callable[[], bool], within: float = 5.0) -> None:
    """Return as soon as `condition` is true."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.003)


def in_threads(works: Sequence[Callable[[], None]]) -> None:
    """Do all at once, and fail where one of them did."""
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # an assertion of a thread is the test's
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == errors
