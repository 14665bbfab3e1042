"""Backends on GlusterFS: a directory of a volume that several servers know, mounted by its FUSE client.

`mount -t glusterfs` reports success for mounts that the servers refuse and that end a moment later, and takes a minute
where the first server is silent; so servers are asked first, and a mount counts when its bricks have answered.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from volplugin import mountinfo
from volplugin.backends import gluster_log, gluster_source, programs, reach, trial
from volplugin.backends.gluster_quota import Quota
from volplugin.backends.gluster_source import Source
from volplugin.backends.kind import BackendError, Definition, Finding, Kind, Limit, Server, refuse_unknown_options
from volplugin.mountinfo import Mounted

GLUSTERD = 24007  # TCP; where clients learn of volumes and their bricks
TYPE = "fuse.glusterfs"
LOGS = Path("/var/log/glusterfs")  # where GlusterFS's own rotation of logs looks
MOUNT_WITHIN = 30.0  # seconds; 3 where a server is silent that holds bricks
TRIAL_WITHIN = 20.0  # seconds
LOG_READ = 64 * 2**10  # bytes of a log's end


class GlusterFS(Kind):
    """A volume of a trusted pool, or a directory of one."""

    NAME: ClassVar = "glusterfs"
    SOURCE: ClassVar = gluster_source.FORM
    OPTIONS: ClassVar = gluster_source.OPTIONS

    def check(self, backend: Definition) -> None:
        """Refuse a source or an option that the client would not take, or would take for something else."""
        refuse_unknown_options(self, backend)
        gluster_source.parse(backend.source)
        gluster_source.mount_options(backend.options)

    def is_mounted(self, backend: Definition, there: Mounted, table: Sequence[Mounted]) -> bool:  # noqa: ARG002
        """Say whether a mount is of the volume's directory, by any of its servers."""
        source = gluster_source.parse(backend.source)
        return there.type == TYPE and there.source in {source.at(server) for server in source.servers}

    def servers(self, backend: Definition) -> Sequence[Server]:
        """Return the servers that tell clients of the volume."""
        return [Server(name, GLUSTERD) for name in gluster_source.parse(backend.source).servers]

    def mount(self, backend: Definition, target: Path) -> None:
        """Mount it by a server that answers; the client itself turns to the others when that one goes."""
        source = gluster_source.parse(backend.source)
        problems = reach.problems(self.servers(backend))
        answering = [server.address for server, problem in problems.items() if not problem]
        silent = [server.address for server, problem in problems.items() if problem]
        if not answering:
            raise BackendError(_nobody(problems))
        log = _log(backend)
        log.parent.mkdir(parents=True, exist_ok=True)
        begin = log.stat().st_size if log.exists() else 0
        first, *others = [*answering, *silent]
        options = [f"log-file={log}", *gluster_source.mount_options(backend.options)]
        if others:
            options.append(f"backup-volfile-servers={':'.join(others)}")
        command = ["mount", "-t", "glusterfs", "-o", ",".join(options), source.at(first), str(target)]
        ended = programs.run(command, MOUNT_WITHIN)
        if ended.code or not _answers(target):
            raise BackendError(_refused(source, ended, _lines(log, begin)))

    def probe(self, backend: Definition) -> Iterator[Finding]:
        """Ask each server, and then mount it where nobody sees it."""
        problems = reach.problems(self.servers(backend))
        some = not all(problems.values())
        for server, problem in problems.items():
            yield _of_server(server, problem, others=some)
        if not some:
            return
        what = f"mount of {backend.source}"
        try:
            trial.mount(backend, TRIAL_WITHIN)
        except BackendError as error:
            found, _, advice = str(error).partition(": ")
            yield Finding(what, good=False, found=found, advice=advice)
        else:
            yield Finding(what, good=True, found="its bricks answer")

    def limits(self) -> Sequence[Limit]:
        """Return GlusterFS's own quota of a directory."""
        return (Quota(),)

    def log_tail(self, backend: Definition) -> str:
        """Return the last errors that the client logged."""
        return gluster_log.tail(_lines(_log(backend)))


def _of_server(server: Server, problem: str, *, others: bool) -> Finding:
    if not problem:
        return Finding(f"server {server.address}", good=True, found=f"answers on TCP port {server.port}")
    found, _, advice = problem.partition(": ")
    if others:
        return Finding(
            f"server {server.address}", good=True, found=f"{found}: the others serve without it", advice=advice
        )
    return Finding(f"server {server.address}", good=False, found=found, advice=advice)


def _nobody(problems: Mapping[Server, str]) -> str:
    alike: dict[str, list[str]] = {}
    for server, problem in problems.items():
        alike.setdefault(problem, []).append(server.address)
    return "no server answers: " + "; ".join(f"{', '.join(names)}: {problem}" for problem, names in alike.items())


def _refused(source: Source, ended: programs.Ended, log: Sequence[str]) -> str:
    """Return why a mount did not come about."""
    if cause := gluster_log.cause(log, source):
        return f"{cause.found}: {cause.advice}"
    said = [f"mount ended with status {ended.code}" if ended.code else "mount reported success, but nothing is mounted"]
    said += [f"it said: {ended.words}"] if ended.words else []
    said += [f"the client's log ends: {end}"] if (end := gluster_log.tail(log)) else []
    return f"{source.at(source.servers[0])} cannot be mounted: {'; '.join(said)}"


def _answers(target: Path) -> bool:
    """Return whether bricks answer at `target`, and not the disk below a mount that has just ended."""
    try:
        handle = os.open(target, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        os.statvfs(handle)  # of the same mount as `fstat`, whatever happens meanwhile
        device = os.fstat(handle).st_dev
    except OSError:
        return False
    finally:
        os.close(handle)
    there = mountinfo.at(str(target), mountinfo.mounts())
    return there is not None and (there.type, there.device) == (TYPE, f"{os.major(device)}:{os.minor(device)}")


def _log(backend: Definition) -> Path:
    return LOGS / f"moorage-{backend.name}.log"


def _lines(log: Path, begin: int = 0) -> list[str]:
    """Return the end of a log, at most from `begin` on; one that was cut since is read from its start."""
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(begin if begin <= size else 0, size - LOG_READ))
        return file.read().decode(errors="replace").splitlines()
    return []
