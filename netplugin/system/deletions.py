"""Deletions of links, in threads of their own: the kernel takes 20 ms for one, and nobody needs to wait for that."""

from __future__ import annotations

import errno
import threading
from collections.abc import Collection

import structlog

from netplugin.system import rtnetlink
from netplugin.system.rtnetlink import Rtnetlink

DOOMED = 0x4D4F  # link group of what is about to be deleted: the kernel deletes a group in one RCU grace period

log = structlog.get_logger()


class Deletions:
    """Begins deletions; used from one thread.  What fails is found, and tried again, by whoever looks at all links."""

    def __init__(self) -> None:
        self._going_on: dict[str, threading.Thread] = {}

    def begin(self, names: Collection[str]) -> None:
        """Return when the kernel has the request: from then on whoever asks it for these links finds them gone."""
        self._going_on = {name: thread for name, thread in self._going_on.items() if thread.is_alive()}
        begun = threading.Event()
        thread = threading.Thread(target=_delete, args=(names, begun), name="deletion", daemon=True)
        self._going_on |= dict.fromkeys(names, thread)
        thread.start()
        begun.wait()

    def wait(self, name: str) -> None:
        """Return when no deletion of a link of that name goes on: it would take a new one too."""
        if (thread := self._going_on.pop(name, None)) is not None:
            thread.join()


def _delete(names: Collection[str], begun: threading.Event) -> None:
    kernel = Rtnetlink()
    try:
        message = _request(kernel, names)
        begun.set()  # no other thread runs before the kernel has the message: sending it is what lets them
        kernel.call(message)
    except OSError as error:
        if error.errno != errno.ENODEV:  # gone with its container's network namespace
            log.warning("link not deleted", links=list(names)[:5], reason=str(error))
    finally:
        begun.set()
        kernel.close()


def _request(kernel: Rtnetlink, names: Collection[str]) -> bytes:
    """Return what deletes all of them."""
    if len(names) == 1:
        return rtnetlink.deleted(*names)
    for name in names:
        try:
            kernel.call(rtnetlink.grouped(name, DOOMED))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
    return rtnetlink.group_deleted(DOOMED)
