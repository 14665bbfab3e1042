"""Links over the kernel's own messages, in a network namespace of a thread's own."""

import ctypes
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest
from pyroute2 import IPRoute

from netplugin.system import rtnetlink
from netplugin.system.deletions import Deletions
from netplugin.system.rtnetlink import Rtnetlink

pytestmark = pytest.mark.system

CLONE_NEWNET = 0x40000000  # sched.h


def apart(work: Callable[[], None]) -> None:
    """Run `work` where there is no interface but lo."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            unshare()
            work()
        except BaseException as error:  # the test's own thread raises it
            done.set_exception(error)
        else:
            done.set_result(None)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    done.result()


def unshare() -> None:
    """Give the calling thread a network namespace of its own."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def pair(name: str, peer: str) -> bytes:
    return rtnetlink.new_pair(name, peer, peer_mac="02:42:0a:01:00:02", mtu=1400, group=77)


def names() -> set[str]:
    return {name for _, name in socket.if_nameindex()} - {"lo"}


def test_a_pair_is_as_it_was_asked_for() -> None:
    def work() -> None:
        kernel = Rtnetlink()
        kernel.call(pair("one", "other"))
        kernel.call(rtnetlink.finished("one", "moorage:x"))
        kernel.call(rtnetlink.resized("one", 1300))
        with IPRoute() as ip:
            (one,), (other,) = ip.get_links(ifname="one"), ip.get_links(ifname="other")

        assert (1300, 77, "moorage:x", 1) == (one.get("mtu"), one.get("group"), one.get("ifalias"), one["flags"] & 1)
        assert (1400, 0, "02:42:0a:01:00:02", 0) == (
            other.get("mtu"), other.get("group"), other.get("address"), other["flags"] & 1,
        )  # fmt: skip

    apart(work)


def test_what_the_kernel_refuses_is_an_error_with_its_reason() -> None:
    def work() -> None:
        kernel = Rtnetlink()
        kernel.call(pair("one", "other"))

        with pytest.raises(FileExistsError):
            kernel.call(pair("one", "third"))
        with pytest.raises(OSError, match="No such device"):
            kernel.call(rtnetlink.deleted("none"))

    apart(work)


@pytest.mark.parametrize("count", [1, 3])
def test_links_are_deleted_with_their_peers_and_no_others(count: int) -> None:
    def work() -> None:
        kernel, deletions = Rtnetlink(), Deletions()
        for number in range(count + 1):
            kernel.call(pair(f"one{number}", f"other{number}"))
        gone = [f"one{number}" for number in range(count)]

        deletions.begin(gone)
        for name in gone:
            deletions.wait(name)

        assert {f"one{count}", f"other{count}"} == names()
        deletions.begin(gone)  # gone already
        deletions.wait(gone[0])
        kernel.call(pair("one0", "other0"))
        assert {"one0", "other0", f"one{count}", f"other{count}"} == names()

    apart(work)
