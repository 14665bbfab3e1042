"""What mount(8) asks of mount.nfs: its words and mount options, understood as mount.nfs and nfs(5) say."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

USAGE, FAILED = 1, 32  # exit statuses, mount(8)

# The library speaks 3, 4.0 and 4.1; what 4.2 adds are calls a client may do without
VERSIONS = {
    "3": ("3",), "4.0": ("4.0",), "4.1": ("4.1",), "4.2": ("4.1",), "4": ("4.1", "4.0"), "": ("4.1", "4.0", "3"),
}  # fmt: skip
NUMBER = re.compile(
    "timeo|retrans|[rw]size|ac(reg|dir)m(in|ax)|actimeo|nconnect|max_connect|retry|(mount)?port|minorversion|namlen"
)
TEXT = re.compile("sec|lookupcache|(mount)?proto|mounthost|mountvers|local_lock|clientaddr|(nfs)?vers|addr|fsc|write")
FLAG = re.compile(
    "soft|hard|softerr|(no)?(intr|ac|rdirplus|sharecache|resvport|fsc|lock|cto|acl|softreval)|bg|fg|tcp|udp|rdma|"
    "rw|ro|(no)?(exec|suid|dev|atime|diratime|fail|user|auto)|sync|async|relatime|defaults|_netdev"
)
PASSED_ON = frozenset({"ro", "noexec", "nosuid", "nodev", "noatime"})  # what FUSE knows too


class Refused(Exception):
    """The mount fails: what mount.nfs prints, without its own name, and its exit status."""

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.status = status


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One mount that was asked for."""

    spec: str
    directory: str
    host: str
    path: str  # on the server, absolute
    versions: tuple[str, ...]  # to be tried in turn
    options: Mapping[str, str]

    @property
    def soft(self) -> bool:
        """Whether a silent server becomes an error."""
        return "soft" in self.options or "softerr" in self.options

    @property
    def patience(self) -> float:
        """Seconds until a call is a failed one."""
        return int(self.options.get("timeo", 600)) / 10 * (int(self.options.get("retrans", 2)) + 1)

    @property
    def retry(self) -> float:
        """Seconds in which a mount is tried again whose server does not answer."""
        return int(self.options.get("retry", 2)) * 60

    @property
    def flags(self) -> list[str]:
        """Options that are not about NFS, and which FUSE is given."""
        return sorted(PASSED_ON & self.options.keys())


class _Words(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(message, USAGE)


def parse(name: str, argv: Sequence[str]) -> Request:
    """Return what is asked of the program called `name` (mount.nfs or mount.nfs4).

    Raises:
        Refused: the words or options are wrong.

    """
    words = _Words(prog=name, add_help=False)
    words.add_argument("spec")
    words.add_argument("directory")
    words.add_argument("-o", dest="options", action="append", default=[])
    for flag in "sfnvwr":
        words.add_argument(f"-{flag}", action="store_true")
    asked = words.parse_args(argv)
    found = re.fullmatch(r"(?:\[([^]]+)\]|([^:]+)):(.*)", asked.spec)
    if found is None:
        raise Refused("remote share not in 'host:dir' format", USAGE)
    options = _options(",".join(asked.options))
    if asked.r:
        options["ro"] = ""
    path = "/" + found[3].strip("/")
    return Request(asked.spec, asked.directory, found[1] or found[2], path, _versions(name, options), options)


def _options(text: str) -> dict[str, str]:
    options = {}
    for word in filter(None, text.split(",")):
        key, given, value = word.partition("=")
        known = (value.isdigit() if NUMBER.fullmatch(key) else TEXT.fullmatch(key)) if given else FLAG.fullmatch(key)
        if not known:
            raise Refused("an incorrect mount option was specified")
        options[key] = value
    return options


def _versions(name: str, options: Mapping[str, str]) -> tuple[str, ...]:
    version = options.get("vers") or options.get("nfsvers") or ("4" if name.endswith("4") else "")
    if version == "4" and "minorversion" in options:
        version = f"4.{options['minorversion']}"
    if version not in VERSIONS:
        raise Refused(f"{version}: invalid value for 'vers=' option")
    return VERSIONS[version]
