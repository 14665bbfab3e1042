"""Volumes as directories below a share, each with a marker beside it that says whose it is.

The marker `.NAME.moorage` in the parent of a volume's directory NAME holds the volume's id: a directory without the
volume's own marker is never renamed or deleted.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from volplugin.backends import registry
from volplugin.backends.kind import BackendError, Definition, Gone, Top, reason
from volplugin.sizes import SizeMode
from volplugin.worker import reaping
from volplugin.worker.sizing import lift, limited

MAKING = ".making-"  # a directory that is not a volume yet
MODE = 0o755  # of a volume's top directory, as Docker's own driver makes it


def inside(share: Path, path: str) -> Path:
    """Return a volume's directory.

    Raises:
        BackendError: there is none, or it leads out of the share through a link.
        Gone: the share is dead.

    """
    source = share / path
    try:
        if source.resolve(strict=True) != share.resolve() / path:
            raise BackendError(f"{path} leads out of the backend through a link")
        if not source.is_dir():
            raise BackendError(f"{path} is not a directory")
    except OSError as error:
        if error.errno in {errno.ENOTCONN, errno.ESTALE, errno.EIO}:
            raise Gone(f"{path}: {reason(error)}") from error
        if error.errno == errno.ENOENT:
            raise BackendError(f"its data is missing: there is no {path} on the backend") from error
        raise
    return source


def make(
    backend: Mapping[str, Any],
    share: str,
    path: str,
    mark: Mapping[str, Any],
    *,
    uid: int | None = None,
    gid: int | None = None,
    mode: int | None = None,
    size: int | None = None,
    size_mode: str = SizeMode.ENFORCE,
) -> dict[str, Any]:
    """Make the directory of a volume, whole or not at all; its `mark` has the volume's id as `volume`.

    Return what enforces its size, as `size_by`.
    """
    definition, final, top = Definition(**backend), Path(share, path), Top(uid, gid, MODE if mode is None else mode)
    making = final.with_name(MAKING + str(mark["volume"]))
    if final.exists():
        return {"size_by": check_mark(final, str(mark["volume"])).get("size_by")}
    try:
        final.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        kind, at = registry.kind(definition.kind), str(making.relative_to(share))
        if making.exists():  # of an attempt that was ended
            reaping.reap(making)
        kind.make(Path(share), at)
        size_by = limited(kind, definition, Path(share), at, size=size, mode=SizeMode(size_mode), top=top)
        _adorn(making, top)
        _write_mark(final, mark if size_by is None else {**mark, "size_by": size_by})
        making.rename(final)
        _sync(final.parent)
    except OSError as error:
        _clear(final, making)
        if error.errno in {errno.ENOTCONN, errno.ESTALE}:
            raise Gone(f"{path}: {reason(error)}") from error
        raise BackendError(f"its directory cannot be made on backend {definition.name}: {_advised(error)}") from error
    except BackendError:
        _clear(final, making)
        raise
    return {"size_by": size_by}


def adopt(share: str, path: str, mark: Mapping[str, Any]) -> None:
    """Take a directory that is there as a volume's: only its marker is made.

    Raises:
        BackendError: there is none, or it is another volume's.

    """
    directory, volume = Path(share, path), str(mark["volume"])
    try:
        inside(Path(share), path)
    except BackendError as error:
        raise BackendError(str(error).replace("its data is missing: there", "there")) from error
    if marker(directory).exists():
        check_mark(directory, volume)
        return
    _write_mark(directory, mark)
    _sync(directory.parent)


def forget(share: str, path: str, volume: str) -> None:
    """Leave a volume's directory where it is, and take its marker away: it is nobody's now."""
    directory = Path(share, path)
    if marker(directory).exists():
        check_mark(directory, volume)
    _unmark(directory)


def rename(share: str, old: str, new: str, volume: str) -> dict[str, Any]:
    """Move a volume's directory and its marker within the share; return whether it is `missing` at both places."""
    source, target = Path(share, old), Path(share, new)
    if source.exists():
        mark = check_mark(source, volume)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_mark(target, mark)
        try:
            source.rename(target)
        except OSError as error:
            _unmark(target)
            raise BackendError(f"{old} cannot be moved to {new}: {_advised(error)}") from error
    elif not target.exists():
        _unmark(source)
        _unmark(target)
        return {"missing": True}
    _unmark(source)
    _sync(target.parent)
    return {"missing": False}


def delete(
    backend: Mapping[str, Any], share: str, paths: Sequence[str], volume: str, seconds: float = math.inf
) -> dict[str, Any]:
    """Delete a volume's directory, wherever of `paths` it is, with all that is in it, and then its marker.

    Return after about so many seconds whether all is `done`, and how many `entries` were deleted by this call.
    """
    until, entries = time.monotonic() + seconds, 0
    for path in paths:
        directory = Path(share, path)
        making = directory.with_name(MAKING + volume)
        for left in (making, directory):
            if os.path.lexists(left):
                if left is directory:
                    check_mark(directory, volume)
                lift(Definition(**backend), Path(share), str(left.relative_to(share)))
                done, deleted = reaping.reap(left, until)
                entries += deleted
                if not done:
                    return {"done": False, "entries": entries}
        _unmark(directory)
    return {"done": True, "entries": entries}


def marker(directory: Path) -> Path:
    """Return the file that says whose a directory is."""
    return directory.with_name(f".{directory.name}.moorage")


def check_mark(directory: Path, volume: str) -> dict[str, Any]:
    """Return the mark of a volume's directory.

    Raises:
        BackendError: the directory is not this volume's.

    """
    try:
        mark: dict[str, Any] = msgspec.json.decode(marker(directory).read_bytes())
    except FileNotFoundError as error:
        raise BackendError(f"{directory.name} has no marker {marker(directory).name}: it is not touched") from error
    except msgspec.DecodeError as error:
        raise BackendError(f"{marker(directory).name} of {directory.name} cannot be read: it is not touched") from error
    if mark.get("volume") != volume:
        raise BackendError(f"{directory.name} is of another volume ({mark.get('volume')}): it is not touched")
    return mark


def advance(directory: Path, volume: str, epoch: int) -> None:
    """Note the epoch of the lease with which a volume is used from now on.

    Raises:
        BackendError: somebody with a newer lease has used it.

    """
    mark = check_mark(directory, volume)
    if mark.get("epoch", 0) > epoch:
        raise BackendError(
            f"a host with a newer lease has used it (epoch {mark['epoch']}, and the records say {epoch}): "
            "were the records restored from an old copy?"
        )
    if mark.get("epoch", 0) < epoch:
        _write_mark(directory, {**mark, "epoch": epoch})


def _unfinished(directory: Path) -> Path:
    """Return a marker while it is written."""
    return directory.with_name(f".{directory.name}.moorage.new")


def _unmark(directory: Path) -> None:
    """Take a directory's marker away, and what there may be of an unfinished one."""
    marker(directory).unlink(missing_ok=True)
    _unfinished(directory).unlink(missing_ok=True)


def _write_mark(directory: Path, mark: Mapping[str, Any]) -> None:
    there, new = marker(directory), _unfinished(directory)
    with new.open("wb") as file:
        file.write(msgspec.json.encode(mark) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.rename(there)


def _clear(final: Path, making: Path) -> None:
    """Leave nothing of an attempt that failed, as far as that is possible; the next one, or `delete`, does the rest."""
    with contextlib.suppress(OSError):
        if making.exists():
            reaping.reap(making)
        if not final.exists():
            _unmark(final)


def _adorn(directory: Path, top: Top) -> None:
    """Give a directory its owner and permissions; the latter last, for chown(2) takes set-group-id away."""
    if top.uid is not None or top.gid is not None:
        _own(directory, top.uid, top.gid)
    directory.chmod(top.mode)


def _own(directory: Path, uid: int | None, gid: int | None) -> None:
    try:
        os.chown(directory, -1 if uid is None else uid, -1 if gid is None else gid)
    except PermissionError as error:
        raise BackendError(
            f"the server does not let root give its directory to {uid}:{gid} (root_squash): "
            "export it with no_root_squash, or leave uid and gid out"
        ) from error


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _advised(error: OSError) -> str:
    advice = {
        errno.EROFS: "it is read-only there",
        errno.ENOSPC: "there is no space left; remove something or take another backend",
        errno.EDQUOT: "the quota is used up; remove something or take another backend",
        errno.EXDEV: "it is a file system of its own there: move what is in it by hand",
        errno.EACCES: "root may not write there: look at the export's root_squash and the directory's owner and mode",
        errno.EPERM: "root may not do it there: look at the export's root_squash",
    }.get(error.errno or 0)
    return f"{reason(error)}: {advice}" if advice else reason(error)
