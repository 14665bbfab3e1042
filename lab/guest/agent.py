"""Runs inside a guest: takes requests, a line of JSON each, from a virtio port, and answers in the same form.

    {"id": 1, "op": "run", "argv": [...], "stdin": "", "timeout": 60}    -> {"id": 1, "code": 0, "out": "", "err": ""}
    {"id": 2, "op": "put", "path": "/x", "data": BASE64, "mode": 420, "append": false}    -> {"id": 2}
    {"id": 3, "op": "get", "path": "/x"}    -> {"id": 3, "data": BASE64}

What cannot be done is answered with {"id": 4, "error": TEXT}.  Requests run side by side: one that hangs holds up no
other.  This file is all of it: it uses nothing but Python's own library.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

PORT = "/dev/virtio-ports/agent"
HELLO = 0  # the id of what is said once at the start
TIMED_OUT = 124  # as of timeout(1)
REAP_WITHIN = 2  # seconds for a killed process; one that hangs in the kernel, on a dead NFS server say, takes longer
CHUNK = 65536

Message = dict[str, Any]


def main(port: str = PORT) -> None:
    """Serve until the guest ends."""
    with open(port, "r+b", buffering=0) as wire:  # noqa: PTH123  # the name says what it is, a device
        lock = threading.Lock()
        _send(wire.fileno(), lock, {"id": HELLO})
        rest = b""
        while True:
            chunk = os.read(wire.fileno(), CHUNK)
            if not chunk:  # nobody holds the other end now
                threading.Event().wait(0.1)
                continue
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                threading.Thread(target=_serve, args=(wire.fileno(), lock, line), daemon=True).start()


def answer(line: bytes) -> Message:
    """Return the answer to a request."""
    request: Message = {}
    try:
        request = json.loads(line)
        return {"id": request["id"], **_VERBS[request["op"]](request)}
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        return {"id": request.get("id") if isinstance(request, dict) else None, "error": f"{error}"}


def _serve(wire: int, lock: threading.Lock, line: bytes) -> None:
    _send(wire, lock, answer(line))


def _send(wire: int, lock: threading.Lock, message: Message) -> None:
    data = json.dumps(message).encode() + b"\n"
    with lock:
        while data:
            data = data[os.write(wire, data) :]


def _run(request: Message) -> Message:
    process = subprocess.Popen(
        request["argv"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    code: int | None
    try:
        out, err = process.communicate(request["stdin"].encode(), request["timeout"])
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        try:
            out, err = process.communicate(timeout=REAP_WITHIN)
        except subprocess.TimeoutExpired:
            out = err = b""
        code, err = TIMED_OUT, err + f"timed out after {request['timeout']:g} s".encode()
    return {"code": code, "out": out.decode(errors="replace"), "err": err.decode(errors="replace")}


def _put(request: Message) -> Message:
    path = Path(request["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab" if request["append"] else "wb") as file:
        file.write(base64.b64decode(request["data"]))
    path.chmod(request["mode"])
    return {}


def _get(request: Message) -> Message:
    return {"data": base64.b64encode(Path(request["path"]).read_bytes()).decode()}


_VERBS = {"run": _run, "put": _put, "get": _get}

if __name__ == "__main__":
    main(*sys.argv[1:])
