"""Volumes made of directories that a backend has: decides and commits; the steward's daemon looks at them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import structlog

from daemonkit.errors import BadRequest
from records.hosts import own_host
from records.model import Backend, Retain, Volume, VolumeId
from records.snapshot import Records
from records.store import Store, decide
from records.writes import Insert, Keep, Write
from volplugin import options
from volplugin.names import check_volume
from volplugin.plan.chores import TRASH
from volplugin.tenants import tenant_of

PATH_MAX = 1024  # bytes: of Linux's 4096, with room for where the share is mounted
# Ours beside the directories of volumes: what is being made, and who owns what.
MARKS = re.compile(r"\.making-.*|\..*\.moorage(\.new)?")

log = structlog.get_logger()


def import_directory(
    store: Store,
    name: str,
    backend: str,
    path: str,
    given: Mapping[str, str],
    *,
    host: str,
    shared: Callable[[Backend], bool],
    now: Callable[[], float],
) -> Volume:
    """Make a volume of the directory `path` below a backend's share; `given` are options as of a Create.

    Owner and permissions of the directory stay as they are, and when the volume is removed, so does its data, unless
    `retain` says otherwise.  `progress.outcome` says whether the directory was found.

    Raises:
        BadRequest: the name is taken, or name, backend, path or an option cannot be.

    """
    check_volume(name)
    check_path(path)
    asked = options.parse(given)
    for option in ("backend", "size", "size-mode", "uid", "gid", "mode"):
        if option in given:
            raise BadRequest(f"an imported directory stays as it is: leave {option} out")

    def decision(records: Records) -> tuple[list[Write], Volume]:
        here, place = own_host(records, host), records.backends.one(name=backend)
        if place is None:
            there = ", ".join(sorted(b.name for b in records.backends)) or "none"
            raise BadRequest(f"there is no backend {backend}; there are: {there}")
        if records.volumes.one(name=name, removed=0) is not None:
            raise BadRequest(f"there is a volume {name} already")
        _check_apart(records, place, path)
        tenant, writes = tenant_of(records, name, asked.tenant)
        made = Volume(
            id=VolumeId(uuid.uuid4()),
            name=name,
            tenant=tenant.id,
            backend=place.id,
            path=path,
            host=None if shared(place) else here.id,
            steward=here.id,
            access=asked.access,
            retain=asked.retain if "retain" in given else Retain.KEEP,
            imported=True,
            options=dict(given),
            created=int(now()),
            labels=asked.labels,
        )
        return [*writes, Keep(place), Insert(made)], made

    made = decide(store, decision)
    log.info("volume imported", volume=name, backend=backend, path=path)
    return made


def check_path(path: str) -> None:
    """Refuse what is no path of a directory below a share, or could be written in two ways.

    Raises:
        BadRequest: it is not.

    """
    parts = PurePosixPath(path).parts
    shown = ascii(path[:80])
    if not path or len(path.encode(errors="surrogateescape")) > PATH_MAX or not path.isprintable():
        raise BadRequest(f"{shown} is no path: write that of a directory below the backend's share")
    if path.startswith("/"):
        raise BadRequest(f"{shown} is absolute: write the path below the backend's share, such as {path.strip('/')}")
    if ".." in parts or str(PurePosixPath(path)) != path or path == ".":
        raise BadRequest(f"{shown} is not written plainly: without '.', '..', doubled and closing slashes")
    if parts[0] == TRASH or any(MARKS.fullmatch(part) for part in parts):
        raise BadRequest(f"{shown} is where Moorage itself keeps things")


def _check_apart(records: Records, backend: Backend, path: str) -> None:
    """Refuse a directory that is a volume's, in one, or around one, or where those of a tenant are made."""
    asked = PurePosixPath(path)
    if records.tenants.one(name=path) is not None:
        raise BadRequest(f"{path} is where the volumes of tenant {path} are made: move the directory, and import that")
    for volume in records.volumes.of(backend=backend.id):
        known = PurePosixPath(volume.path)
        if known.is_relative_to(asked) or asked.is_relative_to(known):
            where = "is" if known == asked else "is in" if asked.is_relative_to(known) else "is around"
            gone = ", which was removed and can still be restored" if volume.removed else ""
            raise BadRequest(f"directory {path} {where} that of volume {volume.name}{gone}")
