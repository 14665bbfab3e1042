"""How `moorage backend test` tries a backend: by the worker process and verbs that the daemon uses, apart from it."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from volplugin import mountinfo
from volplugin.backends.common import own_options
from volplugin.backends.kind import Definition, Finding
from volplugin.system.worker import Worker, WorkerError

PLACE = Path("/run/moorage")  # a directory of root's, for the trial's mount point
PROBE_WITHIN, MOUNT_WITHIN, TRY_WITHIN, UNMOUNT_WITHIN = 30.0, 60.0, 20.0, 10.0  # seconds


def trial(backend: Definition, place: Path = PLACE) -> Iterator[Finding]:
    """Yield what each step finds: the kind's own probe, then mounting, writing and unmounting.

    It ends with the first thing that makes going on pointless; what was mounted is unmounted in any case.
    """
    worker = Worker(backend.name)
    backend = dataclasses.replace(backend, options=own_options(backend.options))
    try:
        try:
            findings = [
                Finding(**found) for found in worker.call("probe", PROBE_WITHIN, backend=dataclasses.asdict(backend))
            ]
        except WorkerError as error:
            findings = [
                Finding("probe", good=False, found=str(error), advice="is the server up, and reached from here?")
            ]
        yield from findings
        if all(finding.good for finding in findings):
            yield from _mounted(worker, backend, place)
    finally:
        worker.stop()


def _mounted(worker: Worker, backend: Definition, place: Path) -> Iterator[Finding]:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    top = Path(tempfile.mkdtemp(prefix="test-", dir=place))  # mode 0700
    target = top / "share"
    try:
        try:
            worker.call("mount", MOUNT_WITHIN, backend=dataclasses.asdict(backend), target=str(target))
        except WorkerError as error:
            yield Finding("mount", good=False, found=str(error), advice="look at the mount's own words above")
            return
        yield Finding("mount", good=True, found=f"{backend.source} is mounted")
        try:
            tried = worker.call("try_out", TRY_WITHIN, share=str(target))
            yield from (Finding(**found) for found in tried)
        except WorkerError as error:
            yield Finding("write", good=False, found=str(error), advice="look at the server's health and log")
        yield _unmount(worker, target)
    finally:
        _clear(backend, target)
        with contextlib.suppress(OSError):  # what is dead and cannot be unmounted stays; its finding said so
            top.rmdir()


def _unmount(worker: Worker, target: Path) -> Finding:
    try:
        worker.retry("unmount", UNMOUNT_WITHIN, target=str(target))
    except WorkerError as error:
        return Finding("unmount", good=False, found=str(error), advice=f"unmount it when the server is back: {target}")
    return Finding("unmount", good=True, found="unmounted again")


def _clear(backend: Definition, target: Path) -> None:
    """Take away a mount that a step that failed, or an interruption, has left; by a fresh worker, which may hang."""
    if mountinfo.at(str(target), mountinfo.mounts()) is not None:
        worker = Worker(backend.name)
        with contextlib.suppress(WorkerError):
            worker.call("unmount", UNMOUNT_WITHIN, target=str(target), detach=True)
        worker.stop()
    with contextlib.suppress(OSError):
        target.rmdir()  # never what is in it
