"""The connection to an NFS server: made, made anew when the server was away, and errors in the words of errno."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import nfs_rs

from lab.fuse_nfs.request import Refused, Request

AGAIN = 0.3  # seconds between attempts to reach a server that is away
OPERATION = 15.0  # seconds until an answer that is missing makes us ask for it on a new connection

# NFS3ERR_* and NFS4ERR_* (RFC 1813 section 2.6, RFC 5661 section 15) that are errno's numbers, or mean one of them
SAME = frozenset({1, 2, 5, 6, 13, 17, 18, 19, 20, 21, 22, 27, 28, 30, 31})
MEANS = {
    63: errno.ENAMETOOLONG, 66: errno.ENOTEMPTY, 69: errno.EDQUOT, 70: errno.ESTALE, 10001: errno.ESTALE,
    10004: errno.EOPNOTSUPP, 10014: errno.ESTALE, 10020: errno.ENOENT,
}  # fmt: skip
# DELAY, EXPIRED, GRACE, STALE_CLIENTID, STALE_STATEID, BAD_STATEID, BADSESSION, DEADSESSION: ask again
TRANSIENT = frozenset({10008, 10011, 10013, 10022, 10023, 10025, 10052, 10078})
AWAY = (
    nfs_rs.NfsConnectionError, nfs_rs.NfsTimeoutError, nfs_rs.NfsStateLostError, nfs_rs.NfsRetryableError,
    nfs_rs.NfsRpcError, nfs_rs.NfsClosedResourceError, nfs_rs.NfsMountError, nfs_rs.NfsUncertainOutcomeError,
)  # fmt: skip
UNREACHABLE = frozenset({
    errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT,
    errno.ENOTCONN,
})  # fmt: skip
MINOR_VERSION_MISMATCH = 10021

Answer = TypeVar("Answer")


class Connection:
    """A mounted export; used from all threads of FUSE."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.generation = 0  # grows with each new connection
        self._address = _resolve(request.host)
        self._lock = threading.Lock()
        self._stale = False
        self._connect()
        self._root = self.client.stat(self.at("/")).fileid

    def at(self, path: str) -> str:
        """Return how the client calls a path below the mount point."""
        return (self._prefix + path).rstrip("/") or "."

    def statistics(self) -> nfs_rs.FsStat:
        """Return sizes of the export's file system."""
        self.client.stat(self.at("/"))  # asks for what is mounted, so that it is found to be stale
        return self._export.fs_stat()

    def ask(self, operation: Callable[[], Answer]) -> Answer:
        """Do an operation, and again while the server is away: for ever, or for `patience` seconds of a soft mount.

        Raises:
            OSError: the server answered with an error; a soft mount's server does not answer.

        """
        end = time.monotonic() + self.request.patience
        while True:
            generation = self.generation
            if self._stale:
                raise OSError(errno.ESTALE, "the export is not what was mounted")
            try:
                return operation()
            except nfs_rs.NfsError as error:
                if not _transient(error):
                    raise self._explain(error) from None
                if self.request.soft and time.monotonic() > end:
                    raise OSError(errno.EIO, str(error)) from None
            time.sleep(AGAIN)
            self._reconnect(generation)

    def _explain(self, error: nfs_rs.NfsError) -> OSError:
        number = _errno(error)
        if number in {errno.ENOENT, errno.ESTALE} and not self._there():
            self._stale = True
            number = errno.ESTALE
        return OSError(number, str(error))

    def _there(self) -> bool:
        """Return whether the mounted directory is the one that was: the kernel's client holds on to its handle."""
        try:
            return self.client.stat(self.at("/")).fileid == self._root
        except nfs_rs.NfsError as error:
            return _transient(error)

    def _reconnect(self, generation: int) -> None:
        with self._lock:
            if generation != self.generation:
                return
            try:
                self._connect()
            except nfs_rs.NfsError as error:
                self._stale = isinstance(error, nfs_rs.NfsNotFoundError)
            else:
                self.generation += 1

    def _connect(self) -> None:
        for version in self.request.versions:
            try:
                self._connect_with(version)
            except nfs_rs.NfsError as error:
                failed = error
            else:
                return
        raise failed

    def _connect_with(self, version: str) -> None:
        path = self.request.path
        self._export = self.client = self._client(path, version)
        self._prefix = ""
        if version != "3" and path != "/":
            # nfs-rs 0.8.7 asks for "." where it means an export's own root, and servers refuse that name: so paths
            # start at the server's root
            self.client = self._client("/", version)
            self._prefix = path.strip("/")

    def _client(self, path: str, version: str) -> nfs_rs.Client:
        options, patience = self.request.options, self.request.patience
        return nfs_rs.Client.connect(
            f"nfs://{self._address}{path}", versions=(version,), uid=0, gid=0,
            nfs_port=int(options["port"]) if "port" in options else None,
            mount_port=int(options["mountport"]) if "mountport" in options else None,
            connect_timeout=patience, operation_timeout=min(patience, OPERATION),
        )  # fmt: skip


def connect(request: Request) -> Connection:
    """Return the connection that a mount is to use.

    Raises:
        Refused: there is none, in the words of mount.nfs.

    """
    end = time.monotonic() + request.retry
    while True:
        try:
            return Connection(request)
        except nfs_rs.NfsError as error:
            if time.monotonic() > end or not isinstance(error, nfs_rs.NfsConnectionError | nfs_rs.NfsTimeoutError):
                raise Refused(_why(request, error)) from None
        time.sleep(AGAIN)


def _resolve(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Refused(f"Failed to resolve server {host}: {error.strerror}") from None
    address = str(found[0][4][0])
    return f"[{address}]" if ":" in address else address


def _why(request: Request, error: nfs_rs.NfsError) -> str:
    if isinstance(error, nfs_rs.NfsNotFoundError):
        return f"mounting {request.spec} failed, reason given by server: No such file or directory"
    if isinstance(error, nfs_rs.NfsPermissionError | nfs_rs.NfsMountError):
        return f"access denied by server while mounting {request.spec}"
    if isinstance(error, nfs_rs.NfsTimeoutError):
        return "Connection timed out"
    if error.code == MINOR_VERSION_MISMATCH or "request rejected" in str(error):
        return "Protocol not supported"
    if "is not registered" in str(error):
        return "requested NFS version or transport protocol is not supported"
    if error.errno == errno.EHOSTUNREACH:
        return "No route to host"
    return "Connection refused" if "Connection refused" in str(error) else f"{error}"


def _errno(error: nfs_rs.NfsError) -> int:
    if isinstance(error, nfs_rs.NfsUnsupportedError):
        return errno.EOPNOTSUPP
    code = error.code or 0
    return code if code in SAME else MEANS.get(code) or error.errno or errno.EIO


def _transient(error: nfs_rs.NfsError) -> bool:
    if error.code in SAME or error.code in MEANS:
        return False  # the server has answered, whatever the library makes of a half-done write
    return isinstance(error, AWAY) or error.code in TRANSIENT or error.errno in UNREACHABLE
