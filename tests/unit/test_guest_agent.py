"""The agent inside a guest and what talks to it, over a Unix socket in place of QEMU's port."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.command import CommandFailed, LabError
from lab.guest import agent
from lab.guest.client import Client


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Path]:
    """A socket behind which the agent answers."""
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        yield path
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def serve(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            wire, _ = server.accept()
            with wire, wire.makefile("rb") as lines:
                wire.sendall(b'{"id": 0}\n')
                for line in lines:
                    wire.sendall(b'{"id": -1}\n' + json.dumps(agent.answer(line)).encode() + b"\n")


@pytest.fixture
def client(port: Path) -> Iterator[Client]:
    made = Client(port, lambda: True)
    made.wait_hello(5)
    yield made
    made.close()


def test_a_command_prints_and_reads(client: Client) -> None:
    assert "hello" == client.run(["cat"], stdin="hello")


def test_a_command_that_fails_says_what_it_said(client: Client) -> None:
    with pytest.raises(CommandFailed, match=r"sh -c .*: exit 3: no such thing") as failed:
        client.run(["sh", "-c", "echo no such thing >&2; exit 3"])

    assert 3 == failed.value.code
    assert "out\n" == client.run(["sh", "-c", "echo out; exit 3"], check=False)


def test_a_command_that_does_not_end_is_killed(client: Client) -> None:
    with pytest.raises(CommandFailed, match=r"timed out after 0.1 s") as failed:
        client.run(["sleep", "60"], timeout=0.1)

    assert agent.TIMED_OUT == failed.value.code


def test_a_command_that_is_not_there_is_told(client: Client) -> None:
    with pytest.raises(LabError, match=r"No such file or directory: 'nothing-of-that-name'"):
        client.run(["nothing-of-that-name"])


@pytest.mark.parametrize("size", [0, 1, 3 << 20])
def test_a_file_comes_back_as_it_went(client: Client, tmp_path: Path, size: int) -> None:
    path = tmp_path / "new" / "file"
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    client.put(str(path), content, 0o600)

    assert content == client.get(str(path))
    assert 0o600 == path.stat().st_mode & 0o777


def test_a_file_that_is_not_there_is_told(client: Client) -> None:
    with pytest.raises(LabError, match="No such file"):
        client.get("/nothing/of/that/name")


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"{}", b'{"id": 1}', b'{"id": 1, "op": "fly"}', b'{"id": 1, "op": "run"}']
)
def test_what_is_no_request_is_answered_with_an_error(line: bytes) -> None:
    assert "error" in agent.answer(line)


def test_a_guest_that_ended_is_told_at_once(port: Path) -> None:
    client = Client(port, lambda: False)
    client.wait_hello(5)

    with pytest.raises(LabError, match="the guest ended"):
        client.run(["sleep", "5"])
    client.close()


def test_what_runs_long_holds_up_no_other() -> None:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    program = subprocess.Popen([sys.executable, "-S", agent.__file__, os.ttyname(theirs)])
    with program, os.fdopen(ours, "r+b", buffering=0) as wire:
        for number, words in ((1, ["sleep", "3600"]), (2, ["echo", "quick"])):
            request = {"id": number, "op": "run", "argv": words, "stdin": "", "timeout": 1}
            wire.write(json.dumps(request).encode() + b"\n")

        answers = [json.loads(wire.readline())["id"] for _ in range(3)]
        program.kill()
    os.close(theirs)

    assert [0, 2, 1] == answers
