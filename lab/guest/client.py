"""What talks to the agent inside a guest: runs commands there, and copies files in and out."""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.command import CommandFailed, LabError
from lab.guest.agent import CHUNK, HELLO, Message

PIECE = 1 << 20  # bytes of a file in one request
GRACE = 30  # seconds for the answer beyond those that the command itself may take: the emulation is slow


class Client:
    """The other end of the agent's port; `alive` says whether the guest runs at all.  One request at a time."""

    def __init__(self, path: Path, alive: Callable[[], bool]) -> None:
        self._alive = alive
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._wire.connect(str(path))
        self._rest = b""
        self._number = HELLO
        self._lock = threading.Lock()

    def close(self) -> None:
        """Hang up; the agent goes on."""
        self._wire.close()

    def wait_hello(self, within: float) -> None:
        """Wait until a guest that boots says that the agent is there.

        Raises:
            LabError: it ended, or did not say so within `within` seconds.

        """
        self._receive(HELLO, within, "the agent")

    def wait_answer(self, within: float) -> None:
        """Wait until a guest that was restored answers: what is asked before it runs may be lost."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            with contextlib.suppress(LabError):
                self._ask({"op": "run", "argv": ["true"], "stdin": "", "timeout": 2}, 2)
                return
        msg = f"the guest did not answer within {within:g} s"
        raise LabError(msg)

    def run(self, argv: Iterable[object], *, check: bool = True, stdin: str = "", timeout: float = 600) -> str:
        """Run a command to its end and return what it printed (stdout), as `lab.command.run` does.

        Raises:
            CommandFailed: it ended with another status than 0 (124: not within `timeout` seconds), and `check` is true.
            LabError: there is no such command, or the guest does not answer.

        """
        words = [str(word) for word in argv]
        done = self._ask({"op": "run", "argv": words, "stdin": stdin, "timeout": timeout}, timeout + GRACE)
        if check and done["code"]:
            raise CommandFailed(words, done["code"], done["err"] or done["out"])
        return str(done["out"])

    def put(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file, and the directories that it is in."""
        for start in range(0, max(len(content), 1), PIECE):
            data = base64.b64encode(content[start : start + PIECE]).decode()
            self._ask({"op": "put", "path": path, "data": data, "mode": mode, "append": start > 0}, GRACE)

    def get(self, path: str) -> bytes:
        """Return what is in a file."""
        return base64.b64decode(self._ask({"op": "get", "path": path}, GRACE)["data"])

    def _ask(self, request: Message, within: float) -> Message:
        with self._lock:
            self._number += 1
            self._wire.sendall(json.dumps({"id": self._number, **request}).encode() + b"\n")
            answer = self._receive(self._number, within, str(request)[:200])
        if "error" in answer:
            msg = f"{answer['error']}: {str(request)[:200]}"
            raise LabError(msg)
        return answer

    def _receive(self, number: int, within: float, what: str) -> Message:
        """Return the answer with this number; older ones, which nobody waits for any more, are dropped."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if not select.select([self._wire], [], [], 0.2)[0]:
                if not self._alive():
                    break
                continue
            chunk = self._wire.recv(CHUNK)
            if not chunk:
                break
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                message: Message = json.loads(line)
                if message["id"] == number:
                    return message
        msg = f"no answer within {within:g} s: {what}" if self._alive() else f"the guest ended: {what}"
        raise LabError(msg)
