"""Servers of these tests answer RPC on a port of their own, as RFC 5531, 1813 and 7530 say."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from volplugin.backends import nfs_probe
from volplugin.backends.kind import Finding
from volplugin.backends.nfs_options import share
from volplugin.backends.nfs_probe import LOOKUP, MINOR_VERS_MISMATCH, MOUNT, NFS, probe
from volplugin.backends.onc_rpc import LAST_FRAGMENT, Reader, opaque, uint

Serve = Callable[[int, int, int, Reader], bytes]  # program, version, procedure, arguments -> what follows the verifier
DONE = uint(0)


@contextmanager
def server(serve: Serve) -> Iterator[int]:
    """A server that answers one call a connection, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_all() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    while data := connection.recv(65536):
                        connection.sendall(answer(serve, data))

        thread = threading.Thread(target=answer_all, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def answer(serve: Serve, data: bytes) -> bytes:
    call = Reader(data[4:])
    number, _, _, program, version, procedure, _ = call.uints(7)
    call.opaque()
    call.uint()
    call.opaque()
    body = uint(number, 1, 0, 0, 0) + serve(program, version, procedure, call)
    return uint(LAST_FRAGMENT | len(body)) + body


def nfs4(minors: tuple[int, ...] = (0, 1, 2), names: tuple[str, ...] = ("srv", "a"), status: int = 2) -> Serve:
    """A server of NFS 4 with these minor versions and one path; `status` is told of others."""

    def serve(program: int, version: int, procedure: int, arguments: Reader) -> bytes:
        if (program, version) != (NFS, 4):
            return uint(2, 4, 4)
        if procedure == 0:
            return DONE
        arguments.opaque()
        minor, operations, _ = arguments.uints(3)
        if minor not in minors:
            return DONE + uint(MINOR_VERS_MISMATCH)
        for name in names[: operations - 1]:
            assert arguments.uint() == LOOKUP
            if arguments.opaque() != name.encode():
                return DONE + uint(status)
        return DONE + uint(0)

    return serve


def nfs3(status: int = 0, exports: tuple[str, ...] = ("/srv/a",)) -> Serve:
    """A server of NFS 3 and its mountd, which answers `status` to who asks for an export."""

    def serve(program: int, version: int, procedure: int, _: Reader) -> bytes:
        if version != 3:
            return uint(2, 3, 3)
        if program == MOUNT and procedure == 1:
            return DONE + uint(status)
        if program == MOUNT and procedure == 5:
            return DONE + b"".join(uint(1) + opaque(e.encode()) + uint(0) for e in exports) + uint(0)
        return DONE

    return serve


def found(serve: Serve, version: str, path: str = "/srv/a") -> list[Finding]:
    with server(serve) as port:
        options = {"port": str(port), "mountport": str(port), **({"vers": version} if version else {})}
        return list(probe(share(f"127.0.0.1:{path}", options)))


@pytest.mark.parametrize("version", ["4", "4.0", "4.2", ""])
def test_of_an_export_that_is_there_nothing_is_bad(version: str) -> None:
    told = found(nfs4(), version)

    assert all(finding.good for finding in told)
    assert "/srv/a is there" == told[-1].found


def test_an_export_that_is_not_there_may_be_one_that_this_host_may_not_see() -> None:
    (*good, bad) = found(nfs4(), "4.1", "/srv/b")

    assert all(finding.good for finding in good)
    assert "there is no export /srv/b that this host (127.0.0.1) may see" == bad.found
    assert "make it, or let it be seen by 127.0.0.1: NFS 4 tells both in the same way" == bad.advice


@pytest.mark.parametrize(
    ("status", "says"), [(13, "is closed to this host"), (10016, "is refused with NFS status 10016")]
)
def test_an_export_that_is_refused_is_told_so(status: int, says: str) -> None:
    assert says in found(nfs4(status=status), "4.1", "/srv/b")[-1].found


@pytest.mark.parametrize(
    ("minors", "version", "says", "advice"),
    [
        ((0,), "4.1", "127.0.0.1 does not offer NFS 4.1; of NFS 4 it has 4.0", "define it with -o vers=4.0"),
        ((1, 2), "4.0", "127.0.0.1 does not offer NFS 4.0; of NFS 4 it has 4.1 and 4.2", "define it with -o vers=4.2"),
        ((), "4", "127.0.0.1 does not offer NFS 4; of NFS 4 it has none", "define it with -o vers=3"),
    ],
)
def test_a_minor_version_that_is_not_offered_is_told_with_those_that_are(
    minors: tuple[int, ...], version: str, says: str, advice: str
) -> None:
    bad = found(nfs4(minors), version)[-1]

    assert (False, says, advice) == (bad.good, bad.found, bad.advice)


def test_a_server_without_4_0_is_not_asked_for_the_export() -> None:
    told = found(nfs4((1, 2)), "4.1", "/srv/b")

    assert ["name", "server", "version"] == [finding.what for finding in told]
    assert all(finding.good for finding in told)


def test_a_server_of_another_version_tells_which() -> None:
    assert "serves NFS 3, not 4.1" in found(nfs3(), "4.1")[-1].found
    assert "serves NFS 4, not 3" in found(nfs4(), "3")[-1].found
    assert "define it with -o vers=3" == found(nfs3(), "4")[-1].advice


@pytest.mark.parametrize("version", ["3", ""])
def test_version_3_asks_mountd_for_the_export(version: str) -> None:
    told = found(nfs3(), version)

    assert all(finding.good for finding in told)
    assert "/srv/a is there" == told[-1].found


@pytest.mark.parametrize(
    ("status", "says"), [(2, "there is no export /srv/a"), (13, "does not let this host (127.0.0.1) mount /srv/a")]
)
def test_mountd_tells_why_not(status: int, says: str) -> None:
    bad = found(nfs3(status), "3")[-1]

    assert not bad.good
    assert says in bad.found


def test_a_port_where_nobody_listens_is_told() -> None:
    with server(nfs4()) as port:
        pass

    bad = list(probe(share("127.0.0.1:/a", {"vers": "4.1", "port": str(port)})))[-1]

    assert f"127.0.0.1 refuses connections to TCP port {port}" == bad.found


def test_a_server_that_answers_nothing_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nfs_probe, "WITHIN", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        bad = list(probe(share("127.0.0.1:/a", {"vers": "4.1", "port": str(port)})))[-1]

    assert f"127.0.0.1, TCP port {port}, accepts connections and answers nothing: the NFS server hangs" == bad.found


def test_what_is_no_nfs_server_is_told() -> None:
    def web(*_: object) -> bytes:
        return uint(1)  # PROG_UNAVAIL

    assert "serves no NFS" in found(web, "4.1")[-1].found


def test_a_name_that_nobody_knows_is_told() -> None:
    bad = list(probe(share("no-such-name.invalid:/a", {})))[-1]

    assert ("name", False) == (bad.what, bad.good)


@pytest.mark.parametrize("options", [{"proto": "rdma"}, {"udp": "", "vers": "3"}, {"xprtsec": "tls"}])
def test_a_share_that_does_not_come_over_plain_tcp_is_not_looked_at(options: dict[str, str]) -> None:
    told = list(probe(share("127.0.0.1:/a", options)))

    assert ["name", "server"] == [finding.what for finding in told]
    assert all(finding.good for finding in told)
