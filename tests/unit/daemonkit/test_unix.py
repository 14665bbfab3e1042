import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemonkit import unix
from daemonkit.unix import TakenError, claim


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        yield listening


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix, "LINGER", 0.3)


def test_a_path_that_is_free_gets_its_directory(tmp_path: Path) -> None:
    claim(str(tmp_path / "a" / "s"))

    assert (tmp_path / "a").is_dir()


def test_what_a_dead_process_left_is_removed(tmp_path: Path, listener: socket.socket) -> None:
    listener.close()
    claim(str(tmp_path / "s"))

    assert not (tmp_path / "s").exists()


def test_a_path_that_another_serves_is_refused_and_left_alone(tmp_path: Path, listener: socket.socket) -> None:
    with pytest.raises(TakenError, match="served by another process"):
        claim(str(tmp_path / "s"))

    assert (tmp_path / "s").exists()


def test_a_predecessor_that_is_just_ending_is_waited_for(tmp_path: Path, listener: socket.socket) -> None:
    ending = threading.Timer(0.1, listener.close)
    ending.start()
    claim(str(tmp_path / "s"))
    ending.join()

    assert not (tmp_path / "s").exists()


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")

    with pytest.raises(TakenError, match="not a socket"):
        claim(str(tmp_path / "s"))

    assert (tmp_path / "s").read_text() == "precious"


@pytest.mark.parametrize("stays", [True, False])
def test_a_listener_that_hangs_up_is_asked_again_before_it_is_believed_gone(
    tmp_path: Path, listener: socket.socket, stays: bool
) -> None:
    def hang_up() -> None:
        probe, _ = listener.accept()
        if not stays:
            listener.close()
        probe.close()

    hanging_up = threading.Thread(target=hang_up)
    hanging_up.start()
    if stays:
        with pytest.raises(TakenError, match="served by another process"):
            claim(str(tmp_path / "s"))
    else:
        claim(str(tmp_path / "s"))
    hanging_up.join()

    assert stays == (tmp_path / "s").exists()
