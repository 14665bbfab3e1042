"""What users may say with `-o` at `docker volume create`; pure."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from daemonkit.errors import BadRequest
from records.model import Access, Retain
from volplugin.names import BACKEND, TENANT
from volplugin.sizes import SizeMode

E = TypeVar("E", bound=StrEnum)

MEANINGS = {
    "backend": "where the data is: a name of `moorage backend ls`",
    "access": "who may use it at once: `shared` (all), `host` (containers of one host), `container` (one container)",
    "retain": "what becomes of the data when the volume is removed: `trash`, `delete`, `keep`",
    "size": "the most it may hold, such as 10G; refused where the backend cannot enforce it",
    "size-mode": "what keeps it to its size: `enforce` (the backend), `image` (a file system in a file), "
    "`report` (nothing)",
    "uid": "owner of its top directory, a number",
    "gid": "group of its top directory, a number",
    "mode": "permissions of its top directory, octal such as 0770",
    "tenant": "whose it is; as TENANT/ before the name",
    "labels": "KEY=VALUE, several with commas between",
}
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
SIZE = re.compile(r"([1-9][0-9]{0,17})(?:([KMGTP])(?:i?B)?|B)?", re.IGNORECASE)
SIZE_MIN = 2**20  # bytes: less holds no file system, and no data worth a volume


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VolumeOptions:
    """A volume as its user asked for it; None: not said."""

    given: Mapping[str, str]
    backend: str | None = None
    tenant: str | None = None
    access: Access = Access.SHARED
    retain: Retain = Retain.TRASH
    size: int | None = None  # bytes
    size_mode: SizeMode = SizeMode.ENFORCE
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


def parse(given: Mapping[str, str]) -> VolumeOptions:
    """Return the options of a Create.

    Raises:
        BadRequest: an unknown or impossible one; the text names it.

    """
    for key in given:
        if key not in MEANINGS:
            near = difflib.get_close_matches(key, MEANINGS, n=1)
            there = (
                f"there are: {', '.join(MEANINGS)}; how a share is mounted, its backend says (`moorage backend add -o`)"
            )
            hint = f"did you mean {near[0]!r}?" if near else there
            raise BadRequest(f"unknown option {key!r}; {hint}")
    return VolumeOptions(
        given=dict(given),
        backend=_name(given, "backend", BACKEND),
        tenant=_name(given, "tenant", re.compile(TENANT)),
        access=_choice(given, "access", Access.SHARED),
        retain=_choice(given, "retain", Retain.TRASH),
        size=None if "size" not in given else size(given["size"]),
        size_mode=size_mode(given),
        uid=_number(given, "uid"),
        gid=_number(given, "gid"),
        mode=_mode(given),
        labels=_labels(given.get("labels", "")),
    )


def size(text: str) -> int:
    """Return bytes: a whole number and maybe K, M, G, T or P, which are powers of 1024.

    Raises:
        BadRequest: it is no such size, or less than 1M.

    """
    if (found := SIZE.fullmatch(text.strip())) is None:
        raise BadRequest(f"size={text} is not a size: write a whole number with K, M, G, T or P, such as 10G")
    if (bytes_ := int(found[1]) * UNITS[(found[2] or "").upper()]) < SIZE_MIN:
        raise BadRequest(f"size={text} is less than 1M")
    if bytes_ >= 2**63:
        raise BadRequest(f"size={text} is more than any file system holds")
    return bytes_


def size_mode(given: Mapping[str, str]) -> SizeMode:
    """Return how a size is kept.

    Raises:
        BadRequest: it is not one of the ways, or there is no size.

    """
    if "size-mode" in given and "size" not in given:
        raise BadRequest("size-mode without a size: add -o size=10G")
    return _choice(given, "size-mode", SizeMode.ENFORCE)


def _choice(given: Mapping[str, str], key: str, default: E) -> E:
    kind = type(default)
    try:
        return kind(given.get(key, default))
    except ValueError:
        raise BadRequest(f"{key}={given[key]} is not one of {', '.join(kind)}") from None


def _name(given: Mapping[str, str], key: str, pattern: re.Pattern[str]) -> str | None:
    if (name := given.get(key)) is not None and pattern.fullmatch(name) is None:
        raise BadRequest(f"{key}={name} is not a name: letters, digits, '_', '.' and '-', at most 63")
    return name


def _number(given: Mapping[str, str], key: str) -> int | None:
    if (text := given.get(key)) is None:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > 2**32 - 2:  # -1 means "leave it" to chown(2)
        raise BadRequest(f"{key}={text} is not a number of 0 to {2**32 - 2}")
    return int(text)


def _mode(given: Mapping[str, str]) -> int | None:
    if (text := given.get("mode")) is None:
        return None
    if not re.fullmatch(r"0?[0-7]{3,4}", text):
        raise BadRequest(f"mode={text} is not octal permissions such as 0770")
    return int(text, 8)


def _labels(text: str) -> dict[str, str]:
    labels = {}
    for pair in filter(None, text.split(",")):
        key, equals, value = pair.partition("=")
        if not key.strip() or not equals:
            raise BadRequest(f"labels={text} is not KEY=VALUE, several with commas between")
        labels[key.strip()] = value
    return labels
