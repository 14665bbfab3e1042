from __future__ import annotations

import socket
from pathlib import Path

import pytest

from records.transport import Frames, Lost, Message, Transport, connect


def test_messages_are_cut_wherever_the_stream_is() -> None:
    stream = b'{"id":1,"result":[{}]}{"id":"}{","method":"\xc3\xa9"} {"a":{"b":{}}}'
    expected = [{"id": 1, "result": [{}]}, {"id": "}{", "method": "é"}, {"a": {"b": {}}}]

    for cut in range(len(stream) + 1):
        for second in range(cut, len(stream) + 1, 7):
            frames = Frames()
            got = [m for part in (stream[:cut], stream[cut:second], stream[second:]) for m in frames.feed(part)]
            assert expected == got


def test_bytes_that_are_no_text_end_the_connection() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        Frames().feed(b"\xff\xff}")


@pytest.mark.parametrize(
    "remote", ["", "unix:", "tcp:", "tcp:host", "tcp:host:", "tcp::1", "ssl:host:1", "/run/db.sock"]
)
def test_an_address_that_is_none_is_refused_with_what_is_one(remote: str) -> None:
    with pytest.raises(ValueError, match="a member is written unix:PATH or tcp:HOST:PORT"):
        connect(remote)


def test_tcp_members_are_reached_by_name_and_by_either_family() -> None:
    for family, host, written in ((socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET6, "::1", "[::1]")):
        with socket.socket(family) as server:
            server.bind((host, 0))
            server.listen()
            connect(f"tcp:{written}:{server.getsockname()[1]}").close()


def test_a_sender_never_waits_for_a_server_that_does_not_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        transport = Transport(f"unix:{tmp_path}/s")
        peer, _ = server.accept()
        sent = [{"id": n, "method": "x" * 100_000} for n in range(30)]

        for message in sent:
            transport.send(message)

        peer.setblocking(False)
        frames = Frames()
        got: list[Message] = []
        while len(got) < len(sent):
            transport.receive(0.01)
            try:
                got += frames.feed(peer.recv(1 << 20))
            except BlockingIOError:
                continue
        assert sent == got
        peer.close()
        with pytest.raises(Lost, match="the server closed the connection"):
            transport.receive(1)
        transport.send(sent[0])
        transport.close()
        transport.send(sent[0])  # nobody is there to read it, and that is no error of the sender's
        transport.wake()
        transport.close()
