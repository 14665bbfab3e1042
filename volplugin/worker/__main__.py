"""`python -m volplugin.worker BACKEND`: answers calls, a JSON line each, from standard input to standard output.

It ends when its input does, and with its parent, however that ends.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from typing import Any

import msgspec

from volplugin.backends.kind import BackendError, Gone, reason
from volplugin.worker import STALE
from volplugin.worker.verbs import VERBS

GONE = {errno.ENOTCONN, errno.ESTALE}  # what a dead mount answers, and nothing else does
PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Serve until the input ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a third party's kind prints is a log, no answer
    for line in sys.stdin.buffer:
        answers.write(msgspec.json.encode(_answer(msgspec.json.decode(line))) + b"\n")


def _answer(call: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": VERBS[call["verb"]](**call["arguments"])}
    except Gone as error:
        return {"error": str(error), "kind": STALE}
    except BackendError as error:
        return {"error": str(error)}
    except OSError as error:
        if error.errno in GONE:
            return {"error": reason(error), "kind": STALE}
        where = f"{error.filename}: " if error.filename else ""
        return {"error": where + reason(error)}


if __name__ == "__main__":
    main()
