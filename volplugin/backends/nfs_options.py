"""What an operator may write of an NFS backend: its source and its mount options (nfs(5)); pure."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping

from volplugin.backends.kind import BadDefinition

NFS_PORT = 2049
VERSIONS = ("3", "4", "4.0", "4.1", "4.2")
SOURCE = "SERVER:/EXPORT (an IPv6 address in brackets), such as nas:/srv/volumes"
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")
KEY = re.compile(r"[a-z_][a-z0-9_]{0,30}")
VALUE = re.compile(r"[A-Za-z0-9._:@/+-]{0,255}")  # no comma, which would begin another option, no blank, no quote
NUMBERS = re.compile("timeo|retrans|[rw]size|ac(reg|dir)m(in|ax)|actimeo|nconnect|max_connect|(mount)?port|namlen")
YES = frozenset({"", "yes", "true"})  # how an option without a value may be written
FLAGS = re.compile(
    "soft|hard|softerr|ro|rw|tcp|udp|rdma|sync|async|relatime|"
    "(no)?(intr|ac|rdirplus|sharecache|resvport|fsc|lock|cto|acl|softreval|exec|suid|dev|atime|diratime|migration)"
)

_FSTAB = "is for /etc/fstab"
_OURS = "is not a choice: Moorage tries again itself, and waits no longer than a container may"
_EFS = "is an option of mount.efs, which keeps a process of its own; mount the file system as plain NFS, without it"
_NOT_A_SHARE = "would not mount a share"
REFUSED: Mapping[str, str] = {
    "bg": "would report success before anything is mounted, and containers would write to the host's own disk",
    "fg": _OURS, "retry": _OURS, "addr": "would lead to another server than the source says", "minorversion":
    "is written as vers=4.1", "mounthost": "would ask another server than the source says",
    "user": _FSTAB, "users": _FSTAB, "owner": _FSTAB, "group": _FSTAB, "auto": _FSTAB, "noauto": _FSTAB,
    "nofail": _FSTAB, "_netdev": _FSTAB, "defaults": _FSTAB, "comment": _FSTAB,
    "remount": _NOT_A_SHARE, "bind": _NOT_A_SHARE, "rbind": _NOT_A_SHARE, "move": _NOT_A_SHARE,
    "tls": _EFS, "iam": _EFS, "accesspoint": _EFS, "awsprofile": _EFS, "awscredsuri": _EFS, "az": _EFS,
}  # fmt: skip
CONFLICTS = (("hard", "soft"), ("hard", "softerr"), ("soft", "softerr"), ("ro", "rw"), ("vers", "nfsvers"))


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """What is mounted, and how."""

    source: str  # as mount(8) and the mount table have it
    host: str  # name or address
    path: str  # on the server, absolute, without a slash at its end
    version: str  # one of VERSIONS; empty: client and server agree on the highest they both know
    options: Mapping[str, str]  # all others

    @property
    def port(self) -> int:
        """The TCP port that the client goes to."""
        return int(self.options.get("port", NFS_PORT))

    @property
    def over_tcp(self) -> bool:
        """Whether the client comes with plain TCP, so that a probe sees what it will see."""
        return self.options.get("proto", "tcp") in {"tcp", "tcp6"} and not {"udp", "rdma", "xprtsec"} & set(
            self.options
        )

    @property
    def type(self) -> str:
        """The type for mount(8)."""
        return "nfs4" if self.version.startswith("4") else "nfs"

    @property
    def words(self) -> str:
        """The options for mount(8): `hard` if nothing else is asked for, and one attempt only."""
        soft = {"soft", "softerr", "hard"} & self.options.keys()
        ours = {**({} if soft else {"hard": ""}), "retry": "0", **({"vers": self.version} if self.version else {})}
        return ",".join(f"{key}={value}" if value else key for key, value in {**ours, **self.options}.items())


def share(source: str, options: Mapping[str, str]) -> Share:
    """Return what a definition means.

    Raises:
        BadDefinition: it cannot be; the text says which word, and why.

    """
    host, path = _source(source)
    for first, second in CONFLICTS:
        if first in options and second in options:
            raise BadDefinition(f"{first} and {second} contradict each other")
    version = options.get("vers", options.get("nfsvers", ""))
    if version not in {*VERSIONS, ""}:
        raise BadDefinition(f"vers is one of {', '.join(VERSIONS)}, not {version!r}")
    kept = {key: _value(key, value) for key, value in options.items() if key not in {"vers", "nfsvers"}}
    if version.startswith("4") and ("udp" in kept or kept.get("proto", "").startswith("udp")):
        raise BadDefinition("NFS 4 does not run over UDP; leave it out, or take vers=3")
    return Share(f"{source.rstrip('/')}/" if path == "/" else source.rstrip("/"), host, path, version, kept)


def _source(source: str) -> tuple[str, str]:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)(?:%[a-z0-9.-]+)?\]|([^:/\[\]]+)):(/.*)", source)
    if found is None or not source.isprintable() or any(c in source for c in ' \\"'):
        raise BadDefinition(f"the source of an NFS backend is {SOURCE}, not {source!r}")
    host, path = found[1] or found[2], found[3].rstrip("/") or "/"
    if {"", ".", ".."} & set(path.split("/")[1:]) and path != "/":
        raise BadDefinition(
            f"the export {found[3]!r} has an empty, `.` or `..` part: write its path as the server has it"
        )
    if found[1] is None and not HOST.fullmatch(host):
        raise BadDefinition(f"{host!r} is not the name or the address of a server")
    if found[1] is not None:
        try:
            ipaddress.IPv6Address(host)
        except ValueError as error:
            raise BadDefinition(f"{host!r} is not an IPv6 address") from error
    return host, path


def _value(key: str, value: str) -> str:
    """Return the value of one option as mount(8) is to have it."""
    if not KEY.fullmatch(key) or not VALUE.fullmatch(value):
        raise BadDefinition(f"{key}={value} is not a mount option: letters, digits and . _ : @ / + - are")
    if key in REFUSED:
        raise BadDefinition(f"the mount option {key} {REFUSED[key]}")
    if FLAGS.fullmatch(key):
        if value not in YES and not (key == "fsc"):
            raise BadDefinition(f"the mount option {key} has no value; write {key}, or leave it out")
        return "" if value in YES else value
    if NUMBERS.fullmatch(key) and not (value.isascii() and value.isdigit()):
        raise BadDefinition(f"the mount option {key} is a number, not {value!r}")
    return value
