import http.client
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from daemonkit.admin import AdminServer, NotRunningError, fetch_status
from daemonkit.metrics import Metrics


class Status:
    value: Mapping[str, Any] = {"version": "1", "failures": []}

    def __call__(self) -> Mapping[str, Any]:
        if "error" in self.value:
            raise ValueError(self.value["error"])
        return self.value


@pytest.fixture
def status() -> Status:
    return Status()


@pytest.fixture
def path(tmp_path: Path, status: Status) -> Iterator[str]:
    server = AdminServer(str(tmp_path / "run" / "admin.sock"), status, Metrics("test", "0"))
    server.start()
    yield str(tmp_path / "run" / "admin.sock")
    server.stop()


def get(path: str, url: str, verb: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("x")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    connection.request(verb, url)
    answer = connection.getresponse()
    result = answer.status, answer.read()
    connection.close()
    return result


def test_the_status_is_what_the_daemon_says_and_what_every_daemon_tells(path: str, status: Status) -> None:
    told = fetch_status(path)

    assert status.value == {key: told[key] for key in status.value}
    assert ("test", os.getpid()) == (told["daemon"], told["pid"])
    assert told["memory"] > 1_000_000
    assert abs(told["since"] + told["seconds"] - time.time()) < 2


def test_metrics_and_health_are_served(path: str) -> None:
    assert (200, b"ok\n") == get(path, "/health")
    code, text = get(path, "/metrics")
    assert code == 200
    assert b'moorage_daemon{daemon="test",version="0"} 1.0' in text


def test_other_paths_and_verbs_are_refused(path: str) -> None:
    assert get(path, "/")[0] == 404
    assert get(path, "/status", "POST")[0] == 501


def test_the_socket_is_for_root_only(path: str) -> None:
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


def test_a_status_that_fails_is_told_and_the_server_goes_on(path: str, status: Status) -> None:
    status.value = {"error": "no records"}
    with pytest.raises(NotRunningError, match="no records"):
        fetch_status(path)

    status.value = {"fine": True}
    assert fetch_status(path)["fine"]


def test_a_silent_client_delays_nobody(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(path)

        assert get(path, "/health")[0] == 200


def test_after_the_end_the_socket_is_gone_and_the_daemon_not_running(tmp_path: Path) -> None:
    path = str(tmp_path / "admin.sock")
    server = AdminServer(path, dict, Metrics("test", "0"))
    server.start()
    server.stop()
    server.stop()

    assert not Path(path).exists()
    with pytest.raises(NotRunningError, match=r"^not running$"):
        fetch_status(path)


def test_a_daemon_that_died_is_not_running_and_its_socket_is_taken_over(tmp_path: Path) -> None:
    path = str(tmp_path / "admin.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)

    with pytest.raises(NotRunningError, match="left its socket"):
        fetch_status(path)
    server = AdminServer(path, lambda: {"alive": True}, Metrics("test", "0"))
    server.start()
    assert fetch_status(path)["alive"]
    server.stop()


def test_a_daemon_that_does_not_answer_is_given_up_in_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute"))
        mute.listen()

        with pytest.raises(NotRunningError, match=r"no answer within 0\.1 s"):
            fetch_status(str(tmp_path / "mute"), within=0.1)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.0 200 OK\r\n\r\nnot json", b"HTTP/1.0 200 OK\r\n\r\n[1]", b"SSH-2.0\r\n"]
)
def test_what_is_no_status_is_not_taken_for_one(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other"))
        other.listen()

        def speak() -> None:
            connection, _ = other.accept()
            connection.recv(1000)
            connection.sendall(answer)
            connection.close()

        speaking = threading.Thread(target=speak)
        speaking.start()
        with pytest.raises(NotRunningError):
            fetch_status(str(tmp_path / "other"))
        speaking.join()
