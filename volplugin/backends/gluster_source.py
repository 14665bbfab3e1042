"""What a GlusterFS backend is defined by: servers, volume and directory, and the client's options; pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from volplugin.backends.kind import BadDefinition

FORM: Final = "SERVER[,SERVER...]:/VOLUME[/DIRECTORY], such as g1,g2:/vol or g1,g2:/vol/docker"
SERVER = re.compile(r"(?=.{1,63}\Z)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")  # mount.glusterfs drops longer ones unsaid
VOLUME = re.compile(r"[A-Za-z0-9_-]{1,255}")
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@%+=-]{0,254}")  # of a directory: mount.glusterfs is a shell script
SNAPSHOTS: Final = "snaps"  # mount.glusterfs takes /snaps/NAME/VOLUME for a snapshot

_YES_NO = r"yes|no"
_ON_OFF = r"on|off"
_COUNT = r"[0-9]{1,9}"
_SECONDS = r"[0-9]{1,6}(\.[0-9]{1,3})?"
FLAGS: Mapping[str, str] = {  # options without a value
    "acl": "keep POSIX ACLs",
    "selinux": "keep SELinux labels",
    "noatime": "do not keep the time of the last access",
    "nodev": "no device files",
    "noexec": "no programs",
    "nosuid": "no set-user-id programs",
}
VALUES: Mapping[str, tuple[str, str]] = {  # option -> (what may stand there, meaning)
    "log-level": ("TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL|NONE", "least important event of the client's log"),
    "attribute-timeout": (_SECONDS, "seconds that the kernel keeps attributes"),
    "entry-timeout": (_SECONDS, "seconds that the kernel keeps names"),
    "negative-timeout": (_SECONDS, "seconds that the kernel keeps the absence of names"),
    "gid-timeout": (_SECONDS, "seconds that the client keeps a user's groups"),
    "direct-io-mode": ("enable|disable", "go past the kernel's page cache"),
    "use-readdirp": (_YES_NO, "read directories with attributes"),
    "auto-invalidation": (_YES_NO, "drop cached pages of files that others changed"),
    "fopen-keep-cache": ("true|false", "keep cached pages of a file when it is opened again"),
    "kernel-writeback-cache": (_YES_NO, "let the kernel gather writes"),
    "attr-times-granularity": (_COUNT, "nanoseconds of file times, with kernel-writeback-cache"),
    "reader-thread-count": (_COUNT, "threads that read from the kernel"),
    "lru-limit": (_COUNT, "inodes that the client keeps in memory"),
    "invalidate-limit": (_COUNT, "invalidations under way at once"),
    "background-qlen": (_COUNT, "requests in the kernel's background queue"),
    "congestion-threshold": (_COUNT, "requests from which on the kernel waits"),
    "event-history": (_ON_OFF, "keep the last requests for dumps"),
    "volfile-max-fetch-attempts": (_COUNT, "tries to reach each server"),
    "oom-score-adj": (r"-?[0-9]{1,4}", "the client's weight for the kernel's out-of-memory killer"),
}
OPTIONS: Mapping[str, str] = {**FLAGS, **{option: meaning for option, (_, meaning) in VALUES.items()}}


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Which directory of which volume, and who knows the volume."""

    servers: tuple[str, ...]
    volume: str
    directory: str = ""  # with a slash before it; empty: the whole volume

    def at(self, server: str) -> str:
        """Return how it is mounted from a server."""
        return f"{server}:/{self.volume}{self.directory}"


def parse(text: str) -> Source:
    """Return the source that an operator wrote.

    Raises:
        BadDefinition: it is none; the text says which part.

    """
    before, found, path = text.partition(":/")
    servers, (volume, *directory) = before.split(","), path.rstrip("/").split("/")
    if not found or not before:
        raise BadDefinition(f"the source of a glusterfs backend is {FORM}, not {text!r}")
    for server in servers:
        if not SERVER.fullmatch(server):
            raise BadDefinition(f"{server!r} in the source {text!r} is not a server's name or IPv4 address")
    if len({*servers}) < len(servers):
        raise BadDefinition(f"a server stands twice in the source {text!r}")
    if not VOLUME.fullmatch(volume):
        raise BadDefinition(f"{volume!r} in the source {text!r} is not a volume's name: letters, digits, '_', '-'")
    if volume == SNAPSHOTS and directory:
        raise BadDefinition(f"{text!r} is a snapshot: it can only be read, and volumes must be written")
    for part in directory:
        if not PART.fullmatch(part) or part in {".", ".."}:
            raise BadDefinition(
                f"{part!r} in the source {text!r} cannot be: letters, digits and _.@%+=- make directories"
            )
    return Source(tuple(servers), volume, "".join(f"/{part}" for part in directory))


def mount_options(given: Mapping[str, str]) -> list[str]:
    """Return the operator's options as `mount -o` takes them.

    Raises:
        BadDefinition: a value cannot be.

    """
    words = []
    for option, value in given.items():
        if option in FLAGS:
            if value not in {"", "yes", "no"}:
                raise BadDefinition(f"option {option} is yes or no, not {value!r}")
            words += [] if value == "no" else [option]
        elif re.fullmatch(VALUES[option][0], value):
            words.append(f"{option}={value}")
        else:
            raise BadDefinition(
                f"option {option} ({VALUES[option][1]}) cannot be {value!r}: it is {_shown(VALUES[option][0])}"
            )
    return words


def _shown(pattern: str) -> str:
    named = {_COUNT: "a whole number", _SECONDS: "seconds, such as 1 or 0.5"}
    return named.get(pattern) or (pattern.replace("|", ", ") if "[" not in pattern else "a number")
