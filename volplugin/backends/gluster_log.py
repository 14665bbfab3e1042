"""What the log of a GlusterFS client means; pure.  The texts are those of GlusterFS 9 to 11."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from volplugin.backends.gluster_source import Source

LINE = re.compile(r"\[[0-9][^]]*\] (?P<level>[A-Z]) (?:\[MSGID: \d+\] )?\[[^]]*\] (?P<text>.*?)\s*")
LINES = 3  # of a log's tail


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """Why a client does not serve."""

    found: str
    advice: str


_CAUSES = (  # the first whose text is in the log explains the others
    (
        r"subdirectory for mount .* is not found",
        "volume {volume} has no directory {directory}",
        "make it there (mount {server}:/{volume} and mkdir), or correct the backend's source",
    ),
    (
        r"remote-error=Authentication failed|Server authent?ication failed",
        "the servers refuse this host at {volume}{directory}",
        "on a server: `gluster volume get {volume} auth.allow` shows who is let in; `gluster volume set` changes it",
    ),
    (
        r"failed to get the 'volume file'|failed to fetch volume file",
        "the servers know no volume {volume}",
        "on a server: `gluster volume list` shows those that there are",
    ),
    (
        r"DNS resolution failed on host (?P<name>\S+)",
        "the pool's name {name} of one of its servers is not known on this host",
        "put it into DNS or /etc/hosts",
    ),
    (
        r"failed to get the port number for remote subvolume",
        "no brick of volume {volume} runs",
        "on a server: `gluster volume status {volume}`, then `gluster volume start {volume} force`",
    ),
    (
        r"All subvolumes are down|first lookup on root failed",
        "no brick of volume {volume} can be reached",
        "on a server: `gluster volume status {volume}` shows their TCP ports (49152 and up): is a firewall between?",
    ),
)


def cause(log: Sequence[str], source: Source) -> Cause | None:
    """Return why a mount of `source` was refused that left these lines, or None where they do not tell."""
    texts = "\n".join(text for _, text in _parsed(log))
    for pattern, found, advice in _CAUSES:
        if match := re.search(pattern, texts):
            words = {
                **match.groupdict(),
                "volume": source.volume,
                "directory": source.directory,
                "root": source.directory or "/",
                "server": source.servers[0],
            }
            return Cause(found.format(**words), advice.format(**words))
    return None


def tail(log: Sequence[str]) -> str:
    """Return the last errors of a log on one line, each once."""
    errors = [text for level, text in _parsed(log) if level in "EC"]
    return "; ".join(list(dict.fromkeys(reversed(errors)))[:LINES][::-1])


def _parsed(log: Sequence[str]) -> list[tuple[str, str]]:
    """Return (level, text) of each line."""
    return [(found["level"], found["text"]) for line in log if (found := LINE.fullmatch(line.strip()))]
