"""The plugin server over a real Unix socket, with the bytes that dockerd sends (moby pkg/plugins/client.go)."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DAEMON = Path(__file__).parent / "plugin_daemon.py"
ROOT = Path(__file__).parents[2]
PYTHONPATH = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"
HOSTS = [
    "",
    "plugin.moby.localhost",
    "%2Frun%2Fdocker%2Fplugins%2Frec.sock",
]  # Debian's 20.10; 24.0.5 on; other old ones


class Daemon:
    def __init__(self, path: Path, *, env: dict[str, str] | None = None) -> None:
        self.path = path
        self.process = subprocess.Popen(
            [sys.executable, str(DAEMON), str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": PYTHONPATH, **(env or {})},
        )

    def said(self, word: str) -> int:
        """Wait for the daemon's line that begins with `word`; return the pid in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(word):
                return int(line.split()[1])
        raise AssertionError(f"ended without saying {word!r}: {self.errors()}")

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    daemons: list[Daemon] = []

    def started(**options: Any) -> Daemon:
        daemons.append(Daemon(tmp_path / "plugins" / "moorage-net.sock", **options))
        return daemons[-1]

    yield started
    for daemon in daemons:
        daemon.end()


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    daemon = start()
    daemon.said("ready")
    return daemon


class Connection:
    """One kept connection, as Go's transport keeps it."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def send(self, call: str, body: bytes, host: str = "", verb: str = "POST") -> None:
        head = (
            f"{verb} /{call} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\n"
            f"Content-Length: {len(body)}\r\nAccept: application/vnd.docker.plugins.v1.2+json\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)

    def receive(self) -> tuple[int, dict[str, str], Any]:
        status = int(self.file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, json.loads(self.file.read(int(headers["content-length"])))

    def call(self, call: str, body: Any = None, host: str = "", verb: str = "POST") -> tuple[int, dict[str, str], Any]:
        self.send(call, b"" if body is None else json.dumps(body).encode() + b"\n", host, verb)
        return self.receive()

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@contextlib.contextmanager
def connected(path: Path) -> Iterator[Connection]:
    connection = Connection(path)
    try:
        yield connection
    finally:
        connection.close()


@pytest.mark.parametrize("host", HOSTS)
def test_activation_answers_whatever_the_host_header_holds(daemon: Daemon, host: str) -> None:
    with connected(daemon.path) as docker:
        status, headers, body = docker.call("Plugin.Activate", host=host)

    assert (200, {"Implements": ["NetworkDriver", "IpamDriver"]}) == (status, body)
    assert headers["content-type"] == "application/vnd.docker.plugins.v1.2+json"


def test_a_connection_serves_call_after_call(daemon: Daemon) -> None:
    with connected(daemon.path) as docker:
        answers = [docker.call("NetworkDriver.Join", {"NetworkID": str(n)}) for n in range(50)]

    assert [str(n) for n in range(50)] == [body["NetworkID"] for _, _, body in answers]
    assert not any(headers.get("connection") == "close" for _, headers, _ in answers)


def test_an_answer_comes_in_one_piece(daemon: Daemon) -> None:
    with connected(daemon.path) as connection:
        connection.send("NetworkDriver.Join", b'{"NetworkID": "a"}')

        assert connection.socket.recv(65536).endswith(b"}")


def test_a_connection_survives_refused_calls_and_unread_bodies(daemon: Daemon) -> None:
    with connected(daemon.path) as docker:
        missing = docker.call("No.Such", {"x": "y" * 10_000})
        docker.send("NetworkDriver.Join", b"not json")
        malformed = docker.receive()
        good = docker.call("NetworkDriver.Join", {"NetworkID": "a"})

    assert (404, 200, 200) == (missing[0], malformed[0], good[0])
    assert "not JSON" in malformed[2]["Err"]
    assert good[2]["NetworkID"] == "a"


def test_an_empty_body_is_refused_with_the_reason_because_dockerd_repeats_broken_calls_so(daemon: Daemon) -> None:
    with connected(daemon.path) as docker:
        status, _, body = docker.call("NetworkDriver.Join")

    assert status == 200
    assert "without a body" in body["Err"]
    assert body["Err"] == body["Error"]


def test_a_bug_is_answered_with_the_place_of_its_trace(daemon: Daemon) -> None:
    with connected(daemon.path) as docker:
        status, _, body = docker.call("NetworkDriver.Join", {"NetworkID": "bug"})
    daemon.process.terminate()
    events = [json.loads(line) for line in daemon.errors().splitlines()]

    (crash,) = [event for event in events if event["event"] == "call crashed"]
    assert status == 200
    assert crash["id"] in body["Err"]
    assert "journalctl -u moorage-test" in body["Err"]
    assert "ZeroDivisionError" in crash["exception"]


def test_the_arbiter_s_memory_and_age_count_as_the_daemon_s(daemon: Daemon) -> None:
    with connected(daemon.path) as docker:
        _, _, told = docker.call("NetworkDriver.About")

    assert told["processes"] == ["test", "arbiter"]
    assert 20e6 < told["memory"] < 75e6


def test_calls_are_served_in_parallel(daemon: Daemon) -> None:
    began = time.monotonic()
    answers: list[Any] = []

    def one() -> None:
        with connected(daemon.path) as docker:
            answers.append(docker.call("NetworkDriver.Join", {"NetworkID": "a", "Seconds": 0.5})[2])

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 8
    assert time.monotonic() - began < 2  # 4 s if one after the other


def test_a_silent_connection_delays_nobody(daemon: Daemon) -> None:
    with contextlib.ExitStack() as silent:
        for _ in range(20):
            silent.enter_context(connected(daemon.path))
        with connected(daemon.path) as docker:
            docker.socket.settimeout(2)
            status, _, _ = docker.call("Plugin.Activate")

    assert status == 200


def test_the_socket_is_for_root_only_and_its_directory_is_made(daemon: Daemon) -> None:
    assert stat.S_IMODE(daemon.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.path.parent.stat().st_mode) == 0o700


def test_sigterm_ends_it_quickly_and_removes_the_socket_though_connections_are_open(daemon: Daemon) -> None:
    with connected(daemon.path) as docker:
        docker.call("Plugin.Activate")
        began = time.monotonic()
        daemon.process.terminate()
        daemon.said("exit")
        code = daemon.process.wait(5)

    assert code == 0
    assert time.monotonic() - began < 2
    assert not daemon.path.exists()


def test_a_call_in_progress_is_answered_before_the_end(daemon: Daemon) -> None:
    with connected(daemon.path) as docker:
        docker.send("NetworkDriver.Join", json.dumps({"NetworkID": "a", "Seconds": 0.5}).encode())
        time.sleep(0.2)  # the call is in progress; nothing outside shows it
        daemon.process.terminate()
        status, _, body = docker.receive()

    assert (200, "a") == (status, body["NetworkID"])


def test_a_killed_worker_is_replaced_while_the_socket_stays(start: Callable[..., Daemon]) -> None:
    daemon = start()
    worker = daemon.said("ready")
    inode = daemon.path.stat().st_ino

    os.kill(worker, signal.SIGKILL)
    with connected(daemon.path) as docker:  # accepted by the kernel at once, answered by the next worker
        _, _, body = docker.call("NetworkDriver.Join", {"NetworkID": "a"})

    assert body["Pid"] == daemon.said("ready") != worker
    assert daemon.path.stat().st_ino == inode


def test_a_killed_arbiter_takes_its_worker_along_and_the_next_start_takes_the_socket(
    start: Callable[..., Daemon],
) -> None:
    first = start()
    worker = first.said("ready")

    first.process.kill()
    first.process.wait()
    assert first.path.exists()
    second = start()
    second.said("ready")
    with connected(second.path) as docker:
        status, _, _ = docker.call("Plugin.Activate")

    assert status == 200
    assert not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text().split()[2]


def test_a_second_daemon_does_not_take_the_socket_of_a_living_one(start: Callable[..., Daemon]) -> None:
    first = start()
    first.said("ready")
    second = start()

    assert second.process.wait(20) == 1
    assert "served by another process" in second.errors()
    with connected(first.path) as docker:
        assert docker.call("Plugin.Activate")[0] == 200


def test_an_application_that_cannot_be_made_ends_the_daemon_with_its_reason(start: Callable[..., Daemon]) -> None:
    daemon = start(env={"FAIL": "no such bridge"})

    assert daemon.process.wait(10) != 0
    assert "no such bridge" in daemon.errors()
    assert not daemon.path.exists()


def test_systemd_hands_the_socket_over_and_hears_ready_only_when_it_serves(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    listener, heard = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "activated.sock"))
    listener.listen()
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(10)

    # As systemd does it: the listener is descriptor 3, LISTEN_PID the daemon's own number.
    hand_over = (
        f"import os, sys; os.dup2({listener.fileno()}, 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hand_over, str(DAEMON), str(tmp_path / "unused.sock")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": PYTHONPATH, "LISTEN_FDS": "1", "NOTIFY_SOCKET": str(tmp_path / "notify")},
        pass_fds=(listener.fileno(),),
    )
    try:
        assert heard.recv(100) == b"READY=1"
        with connected(tmp_path / "activated.sock") as docker:
            assert docker.call("Plugin.Activate")[0] == 200
        assert not (tmp_path / "unused.sock").exists()
        process.terminate()
        assert process.wait(5) == 0
        assert (tmp_path / "activated.sock").exists()  # systemd's
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
        listener.close()
        heard.close()
