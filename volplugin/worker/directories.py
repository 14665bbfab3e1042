"""Volumes as directories below a share, each with a marker beside it that says whose it is.

The marker `.NAME.moorage` in the parent of a volume's directory NAME holds the volume's id: a directory without the
volume's own marker is never renamed or deleted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from volplugin.backends import registry
from volplugin.backends.kind import BackendError, Definition, Gone, reason

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
) -> None:
    """Make the directory of a volume, whole or not at all; its `mark` has the volume's id as `volume`."""
    definition, final = Definition(**backend), Path(share, path)
    making = final.with_name(MAKING + str(mark["volume"]))
    if final.exists():
        check_mark(final, str(mark["volume"]))
        return
    try:
        final.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        kind = registry.kind(definition.kind)
        if making.exists():  # of an attempt that was ended
            kind.delete(Path(share), str(making.relative_to(share)))
        kind.make(Path(share), str(making.relative_to(share)))
        making.chmod(MODE if mode is None else mode)
        if uid is not None or gid is not None:
            _own(making, uid, gid)
        _write_mark(final, mark)
        making.rename(final)
        _sync(final.parent)
    except OSError as error:
        if error.errno in {errno.ENOTCONN, errno.ESTALE}:
            raise Gone(f"{path}: {reason(error)}") from error
        raise BackendError(f"its directory cannot be made on backend {definition.name}: {_advised(error)}") from error


def rename(share: str, old: str, new: str, volume: str) -> None:
    """Move a volume's directory and its marker within the share."""
    source, target = Path(share, old), Path(share, new)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if source.exists():
        mark = check_mark(source, volume)
        _write_mark(target, mark)
        source.rename(target)
    elif not target.exists():
        raise BackendError(f"its data is missing: there is neither {old} nor {new} on the backend")
    marker(source).unlink(missing_ok=True)
    _sync(target.parent)


def delete(backend: Mapping[str, Any], share: str, paths: Sequence[str], volume: str) -> None:
    """Delete a volume's directory, wherever of `paths` it is, with all that is in it, and then its marker."""
    for path in paths:
        directory = Path(share, path)
        kind, making = registry.kind(backend["kind"]), directory.with_name(MAKING + volume)
        if making.exists():
            kind.delete(Path(share), str(making.relative_to(share)))
        if directory.exists():
            check_mark(directory, volume)
            kind.delete(Path(share), path)
        marker(directory).unlink(missing_ok=True)


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


def _write_mark(directory: Path, mark: Mapping[str, Any]) -> None:
    there, new = marker(directory), marker(directory).with_suffix(".new")
    with new.open("wb") as file:
        file.write(msgspec.json.encode(mark) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.rename(there)


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
        errno.EACCES: "root may not write there: look at the export's root_squash and the directory's owner and mode",
        errno.EPERM: "root may not do it there: look at the export's root_squash",
    }.get(error.errno or 0)
    return f"{reason(error)}: {advice}" if advice else reason(error)
