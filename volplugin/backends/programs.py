"""Programs that a backend's worker runs to their end: their words, and never a shell between."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
from collections.abc import Sequence

from volplugin.backends.kind import BackendError


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    output: str
    errors: str

    @property
    def words(self) -> str:
        """What it said, on one line: its errors, or else what it printed."""
        said = self.errors.strip() or self.output.strip()
        return "; ".join(line.strip() for line in said.splitlines() if line.strip())


def run(argv: Sequence[str], within: float, *, stdin: str = "") -> Ended:
    """Run a program in the C locale, for at most `within` seconds.

    Raises:
        BackendError: it is not installed, or was killed, with those it had started, when the time was over.

    """
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace", start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except FileNotFoundError as error:
        raise BackendError(f"{argv[0]} is not installed on this host") from error
    try:
        output, errors = process.communicate(stdin, timeout=within)
    except subprocess.TimeoutExpired as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise BackendError(f"{argv[0]} did not end within {within:g} s") from error
    return Ended(process.returncode, output, errors)
