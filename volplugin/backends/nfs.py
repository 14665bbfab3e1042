"""Backends on NFS servers: versions 3, 4.0, 4.1 and 4.2, with any mount option that makes sense for a share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from volplugin.backends import nfs_options, nfs_probe, programs
from volplugin.backends.kind import BackendError, Definition, Finding, Kind, Server
from volplugin.mountinfo import Mounted

MOUNT_WITHIN = 20.0  # seconds: the server answered just before, so it is slow at most
TYPES = frozenset({"nfs", "nfs4", "fuse.nfs", "fuse.nfs4"})  # the last two: clients outside the kernel

# What mount.nfs prints -> what to do; the first that is found counts
ADVICE: Sequence[tuple[str, str]] = (
    ("No such device", "this kernel has no NFS client: install the kernel package that has the module nfs"),
    ("helper program", "this host has no mount.nfs: install nfs-common (Debian) or nfs-utils"),
    ("rpc.statd is not running", "start rpc-statd on this host, or add the option nolock"),
    (
        "incorrect mount option|bad option|invalid value",
        "one of the mount options is not known to this host's NFS client",
    ),
    ("access denied|Operation not permitted", "let this host in at the server, or look at the option sec"),
    ("reason given by server: No such file", "there is no such export, or this host may not see it"),
    ("Protocol not supported|NFS version|not supported", "the server does not offer this version: see the option vers"),
)


class Nfs(Kind):
    """A directory that a server exports."""

    NAME: ClassVar = "nfs"
    SOURCE: ClassVar = nfs_options.SOURCE
    OPTIONS: ClassVar = {  # those to know of; any other mount option of nfs(5) is passed on
        "vers": f"{', '.join(nfs_options.VERSIONS)}; without it, the highest that client and server know",
        "soft": "a server that is silent makes writes fail, and data may be lost; without it they wait",
        "nconnect": "number of TCP connections, 1 to 16",
        "port": "TCP port of the server, if not 2049",
        "sec": "who is believed to be whom: sys (the default), krb5, krb5i, krb5p",
    }

    def check(self, backend: Definition) -> None:
        """Refuse a source that is none, and options that contradict or make no sense."""
        nfs_options.share(backend.source, backend.options)

    def servers(self, backend: Definition) -> Sequence[Server]:
        """Return the server."""
        share = nfs_options.share(backend.source, backend.options)
        return [Server(share.host, share.port)]

    def is_mounted(self, backend: Definition, there: Mounted, table: Sequence[Mounted]) -> bool:  # noqa: ARG002
        """Say whether a mount is the export."""
        source = nfs_options.share(backend.source, backend.options).source
        return there.type in TYPES and there.source.rstrip("/") == source.rstrip("/")

    def mount(self, backend: Definition, target: Path) -> None:
        """Mount the export, if its server answers: the mount program would wait long for one that does not."""
        share = nfs_options.share(backend.source, backend.options)
        refused = f"{share.source} cannot be mounted"
        for finding in nfs_probe.reach(share):
            if not finding.good:
                raise BackendError(f"{refused}: {finding.found}; {finding.advice}")
        words = ["mount", "-t", share.type, "-o", share.words, share.source, str(target)]
        ended = programs.run(words, MOUNT_WITHIN)
        if ended.code:
            raise BackendError(f"{refused}: {explain(ended.words, nfs_probe.probe(share))}")

    def probe(self, backend: Definition) -> Iterator[Finding]:
        """Look at the server's name, the server, its versions and the export."""
        return nfs_probe.probe(nfs_options.share(backend.source, backend.options))


def explain(said: str, findings: Iterator[Finding]) -> str:
    """Return what the mount program said, what a probe finds wrong, and what to do."""
    for finding in findings:
        if not finding.good:
            return f"{said}; {finding.found}; {finding.advice}"
    advice = next((advice for text, advice in ADVICE if re.search(text, said)), "look at the log of the NFS server")
    return f"{said or 'mount failed without a word'}; {advice}"
