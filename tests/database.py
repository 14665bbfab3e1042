"""A temporary one-member database for tests: no root, no network, unix sockets in a directory."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from records.schema import schema


class Database:
    """`ovsdb-server` with one RAFT member in `directory` (a short path: a socket's has 107 bytes at most).

    It is a cluster of its own, or joins the one of `others`.
    """

    def __init__(self, directory: Path, others: Sequence[Database] = ()) -> None:
        self.directory = directory
        self.others = others
        self.file = directory / "moorage.db"
        self.socket = directory / "db.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def remote(self) -> str:
        """Return what a store connects to."""
        return f"unix:{self.socket}"

    @property
    def raft(self) -> str:
        """Return where other members reach this one."""
        return f"unix:{self.directory}/raft.sock"

    def start(self, served: dict[str, Any] | None = None) -> None:
        """Create the database if there is none, of our schema or of `served`; return when the server leads."""
        if not self.file.exists():
            self._make(served or schema())
        self.socket.unlink(missing_ok=True)
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "ovsdb-server",
                    f"--remote=punix:{self.socket}",
                    f"--unixctl={self.directory}/ctl.sock",
                    "--no-chdir",
                    "-vconsole:info",
                    "-vsyslog:off",
                    self.file,
                ],
                stdout=log,
                stderr=log,
            )
        self._wait()

    def stop(self) -> None:
        """End the server in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server without warning."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let the server hang: connected, and silent."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End what `pause` began."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _make(self, served: dict[str, Any]) -> None:
        if self.others:
            others = [other.raft for other in self.others]
            command = ["ovsdb-tool", "join-cluster", str(self.file), "Moorage", self.raft, *others]
        else:
            text = self.directory / "schema.json"
            text.write_text(json.dumps(served))
            command = ["ovsdb-tool", "create-cluster", str(self.file), str(text), self.raft]
        subprocess.run(command, check=True)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            if how == signal.SIGTERM:
                self.process.send_signal(signal.SIGCONT)
            self.process.wait()
            self.process = None

    def _wait(self) -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            assert self.process is not None
            assert self.process.poll() is None, (self.directory / "server.log").read_text()
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(self.socket))
                    return
            except OSError:
                time.sleep(0.005)
        raise AssertionError("the server does not listen: " + (self.directory / "server.log").read_text())
