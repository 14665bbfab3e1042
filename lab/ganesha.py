"""An NFS server on a node: nfs-ganesha, a program like any other, since the kernel's server is not in every kernel.

It serves NFS 3 (with rpcbind), 4.0, 4.1 and 4.2; an export is seen at the same path in every version.
"""

from __future__ import annotations

import dataclasses
import itertools
import signal
from pathlib import Path

from lab.command import LabError, wait_for
from lab.node import Node

PORT = 2049
RPCBIND_PORT = 111
LEASE = 10  # seconds a client that is gone keeps its state; the server waits as long for known clients after a restart
MINORS = (0, 1, 2)
REREAD = "Reread exports complete"  # in its log, when a SIGHUP was followed

SETTINGS = """NFS_CORE_PARAM {{
  Protocols = {protocols}; NFS_Port = {port}; MNT_Port = 20048; NLM_Port = 20049; Rquota_Port = 20050;
  Enable_NLM = false; Enable_RQUOTA = false; mount_path_pseudo = true;
}}
NFSv4 {{
  Minor_Versions = {minors}; Lease_Lifetime = {lease}; Grace_Period = {lease}; Graceless = true;
  RecoveryBackend = fs; RecoveryRoot = "{recovery}"; Only_Numeric_Owners = true; Delegations = false;
}}
LOG {{ Default_Log_Level = EVENT; }}
"""
EXPORT = """EXPORT {{
  Export_Id = {number}; Path = "{path}"; Pseudo = "/{name}"; Tag = "{name}"; Protocols = {protocols};
  Transports = TCP; SecType = sys; Access_Type = NONE; Squash = {squash}; Filesystem_Id = {number}.{number};
  CLIENT {{ Clients = {clients}; Access_Type = {access}; Squash = {squash}; }}
  FSAL {{ Name = VFS; }}
}}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Export:
    """A directory that is shared as `/name`."""

    number: int  # part of every file handle: another number, and handles from before are stale
    name: str
    path: Path
    clients: str  # addresses and networks that may, `*` for all
    read_only: bool
    root_squash: bool  # root of a client is nobody here

    def text(self, protocols: str) -> str:
        """Return it as the configuration file has it."""
        return EXPORT.format(
            number=self.number, name=self.name, path=self.path, clients=self.clients, protocols=protocols,
            access="RO" if self.read_only else "RW", squash="Root_Squash" if self.root_squash else "No_Root_Squash",
        )  # fmt: skip


class Ganesha:
    """The server of one node; its exports and what it remembers of clients outlive the node's power cuts."""

    def __init__(self, node: Node, *, v3: bool = True, minors: tuple[int, ...] = MINORS) -> None:
        self.node = node
        self.v3 = v3
        self.minors = minors  # of version 4; none: it serves version 3 only
        self.exports: dict[str, Export] = {}
        self._numbers = itertools.count(1)

    # -- exports ------------------------------------------------------------------------------------------------------

    def export(
        self, name: str, path: Path | None = None, *,
        clients: str = "*", read_only: bool = False, root_squash: bool = False,
    ) -> Path:  # fmt: skip
        """Share a directory (made, if there is none) and return it; with the name of an export, change that."""
        path = path or self.node.state / "exports" / name
        path.mkdir(parents=True, exist_ok=True)
        known = self.exports.get(name)
        number = known.number if known else next(self._numbers)
        self.exports[name] = Export(number, name, path, clients, read_only, root_squash)
        self.reload()
        return path

    def unexport(self, name: str) -> None:
        """Share it no longer; what is in it stays."""
        del self.exports[name]
        self.reload()

    def reload(self) -> None:
        """Have the running server share what `exports` says; clients of other exports notice nothing."""
        self._configure()
        if not self.running:
            return
        before = self._log.read_text().count(REREAD)
        self.node.procs["ganesha"].signal(signal.SIGHUP)
        wait_for("the NFS server to read its exports", lambda: self._log.read_text().count(REREAD) > before, 10)

    # -- life ---------------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether there is a process, paused or not."""
        return (process := self.node.procs.get("ganesha")) is not None and process.alive()

    def start(self) -> None:
        """Start serving.

        Raises:
            LabError: it ended; its log is in the text.

        """
        self._configure()
        if self.v3 and not ((rpcbind := self.node.procs.get("rpcbind")) and rpcbind.alive()):
            self.node.spawn("rpcbind", "rpcbind", "-f", "-w")
            wait_for(f"rpcbind on {self.node.name}", lambda: self._listens(RPCBIND_PORT))
        self.node.exec("mkdir", "-p", "/run/ganesha")
        server = self.node.spawn(
            "ganesha", "ganesha.nfsd", "-F", "-f", self._directory / "ganesha.conf", "-L", self._log,
            "-p", "/run/ganesha/ganesha.pid", "-N", "NIV_EVENT",
        )  # fmt: skip
        wait_for(f"the NFS server of {self.node.name}", lambda: not server.alive() or self._listens(PORT), 30)
        if not server.alive():
            msg = f"the NFS server of {self.node.name} ended:\n{self._log.read_text()[-1500:]}"
            raise LabError(msg)

    def stop(self) -> None:
        """End it in order."""
        self.node.procs["ganesha"].stop()

    def kill(self) -> None:
        """End it without a chance to say goodbye (SIGKILL)."""
        self.node.procs["ganesha"].kill()

    def pause(self) -> None:
        """Hang: connections are accepted by the kernel, nothing is answered."""
        self.node.procs["ganesha"].pause()

    def resume(self) -> None:
        """Undo `pause`."""
        self.node.procs["ganesha"].resume()

    # -- its files ----------------------------------------------------------------------------------------------------

    @property
    def _directory(self) -> Path:
        return self.node.state / "ganesha"

    @property
    def _log(self) -> Path:
        return self._directory / "ganesha.log"

    def _configure(self) -> None:
        protocols = ",".join([*(["3"] if self.v3 else []), *(["4"] if self.minors else [])])
        recovery = self._directory / "recovery"
        recovery.mkdir(parents=True, exist_ok=True)
        settings = SETTINGS.format(
            protocols=protocols, port=PORT, minors=",".join(map(str, self.minors or MINORS)), lease=LEASE,
            recovery=recovery,
        )  # fmt: skip
        exports = "".join(export.text(protocols) for export in self.exports.values())
        (self._directory / "ganesha.conf").write_text(settings + exports)

    def _listens(self, port: int) -> bool:
        tables = self.node.exec("cat", "/proc/net/tcp", "/proc/net/tcp6")
        return any(f":{port:04X} " in line and " 0A " in line for line in tables.splitlines())
