import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from volplugin.backends.onc_rpc import LAST_FRAGMENT, Caller, NotServed, Reader, RpcError, opaque, uint

Answer = Callable[[int], bytes]  # from the number of a call


@contextmanager
def server(answer: Answer) -> Iterator[Caller]:
    """A caller whose server answers the first call with these bytes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(answer(Reader(connection.recv(4096)[4:]).uint()))

        thread = threading.Thread(target=serve)
        thread.start()
        with Caller("127.0.0.1", listening.getsockname()[1], 5) as caller:
            yield caller
        thread.join()


def record(body: bytes) -> bytes:
    return uint(LAST_FRAGMENT | len(body)) + body


def test_an_answer_is_taken_apart() -> None:
    with server(lambda number: record(uint(number, 1, 0, 0, 0, 0) + uint(7) + opaque(b"/srv"))) as caller:
        answer = caller.call(100003, 3, 0)

    assert (7, b"/srv") == (answer.uint(), answer.opaque())


def test_an_answer_may_come_in_fragments() -> None:
    with server(lambda number: uint(8) + uint(number, 1) + record(uint(0, 0, 0, 0, 9))) as caller:
        assert 9 == caller.call(100003, 3, 0).uint()


def test_a_server_says_which_versions_it_has() -> None:
    with (
        server(lambda number: record(uint(number, 1, 0, 0, 0, 2, 3, 4))) as caller,
        pytest.raises(NotServed) as refused,
    ):
        caller.call(100003, 5, 0)

    assert (3, 4) == (refused.value.lowest, refused.value.highest)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (lambda number: uint(number, 1, 0, 0, 0, 1), "no such program"),
        (lambda number: uint(number, 1, 0, 0, 0, 5), "RPC status 5"),
        (lambda number: uint(number, 1, 1, 1, 5), "rejects this host's identity"),
        (lambda number: uint(number ^ 1, 1, 0, 0, 0, 0), "to another call"),
        (lambda number: uint(number, 1), "too short"),
        (lambda number: uint(number, 1, 0, 0, 0xFFFFFFF0, 0), "too short"),
    ],
)
def test_an_answer_that_is_none_is_said_so(body: Answer, says: str) -> None:
    with server(lambda number: record(body(number))) as caller, pytest.raises(RpcError, match=says):
        caller.call(100003, 3, 0)


def test_what_is_no_rpc_is_not_read_to_its_end() -> None:
    with server(lambda _: b"HTTP/1.0 400 Bad Request") as caller, pytest.raises(RpcError, match="no RPC"):
        caller.call(100003, 3, 0)


def test_a_server_that_hangs_up_is_an_error() -> None:
    with server(lambda number: uint(LAST_FRAGMENT | 100) + uint(number)) as caller, pytest.raises(ConnectionResetError):
        caller.call(100003, 3, 0)


def test_a_server_that_answers_nothing_is_not_waited_for() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        Caller("127.0.0.1", listening.getsockname()[1], 0.05) as caller,
        pytest.raises(TimeoutError),
    ):
        caller.call(100003, 3, 0)


@pytest.mark.parametrize(("data", "xdr"), [(b"", b"\0\0\0\0"), (b"ab", b"\0\0\0\2ab\0\0"), (b"abcd", b"\0\0\0\4abcd")])
def test_bytes_are_filled_up_to_four(data: bytes, xdr: bytes) -> None:
    assert xdr == opaque(data)
    assert data == Reader(xdr).opaque()
