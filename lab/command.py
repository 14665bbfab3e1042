"""Running commands to their end, and waiting for conditions."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable
from typing import TypedDict

POLL = 0.02  # seconds between two looks at a condition


class LabError(RuntimeError):
    """The lab cannot do what was asked; the text says why."""


class CommandFailed(LabError):
    """A command ended with another status than 0."""

    def __init__(self, argv: list[str], code: int, said: str) -> None:
        super().__init__(f"{' '.join(argv)}: exit {code}: {said.strip()}")
        self.code = code


class Options(TypedDict, total=False):
    """How `run` runs: `check` (True) raises where the command fails; `timeout` (60) is in seconds."""

    check: bool
    stdin: str
    timeout: float


def run(argv: Iterable[object], *, check: bool = True, stdin: str = "", timeout: float = 60) -> str:
    """Run a command to its end and return what it printed (stdout).

    Raises:
        CommandFailed: it ended with another status than 0, and `check` is true.
        LabError: it did not end within `timeout` seconds, or there is no such command.

    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, timeout=timeout, text=True, check=False)
    except subprocess.TimeoutExpired as error:
        msg = f"{' '.join(words)}: timed out after {timeout:g} s"
        raise LabError(msg) from error
    except FileNotFoundError as error:
        msg = f"{words[0]} is not installed"
        raise LabError(msg) from error
    if check and done.returncode:
        raise CommandFailed(words, done.returncode, done.stderr or done.stdout)
    return done.stdout


def wait_for(what: str, condition: Callable[[], object], within: float = 20) -> float:
    """Look at `condition` until it is true, and return the seconds that took; what fails is not true yet.

    Raises:
        LabError: `condition` was not true within `within` seconds.

    """
    start = time.monotonic()
    reason = ""
    while True:
        try:
            if condition():
                return time.monotonic() - start
        except (LabError, OSError) as error:
            reason = f" ({error})"
        if time.monotonic() - start > within:
            msg = f"timed out after {within:g} s: {what}{reason}"
            raise LabError(msg)
        time.sleep(POLL)
