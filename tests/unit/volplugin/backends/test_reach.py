import socket
from collections.abc import Iterator

import pytest

from volplugin.backends.kind import Server
from volplugin.backends.reach import problems


@pytest.fixture
def listening() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Server("127.0.0.1", server.getsockname()[1])


def test_who_answers_has_no_problem_and_the_order_stays(listening: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere, connect = Server("nowhere", 24007), socket.create_connection

    def known(address: tuple[str, int], within: float) -> socket.socket:
        if address[0] == "nowhere":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return connect(address, within)

    monkeypatch.setattr(socket, "create_connection", known)

    found = problems([nowhere, listening])

    assert [nowhere, listening] == list(found)
    assert "" == found[listening]
    assert "DNS or /etc/hosts" in found[nowhere]


def test_a_server_without_the_service_is_told_apart_from_one_that_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = Server("127.0.0.1", server.getsockname()[1])

    assert "nothing listens on its TCP port" in problems([closed])[closed]


def test_a_silent_server_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("volplugin.backends.reach.CONNECT_WITHIN", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        silent = Server("127.0.0.1", server.getsockname()[1])
        with socket.create_connection((silent.address, silent.port)):  # its queue is full now
            assert "no answer on TCP port" in problems([silent])[silent]


def test_nobody_is_asked_where_there_is_nobody() -> None:
    assert {} == problems([])
