"""What stands between this host and an NFS share: its name, server, version and export, looked at one by one."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

from volplugin.backends import onc_rpc
from volplugin.backends.kind import Finding
from volplugin.backends.nfs_options import Share
from volplugin.backends.onc_rpc import Caller, NotServed, Reader, RpcError, opaque, uint

WITHIN = 2.0  # seconds for each answer
NFS, MOUNT = 100003, 100005  # RPC programs
NULL, COMPOUND = 0, 1  # procedures of NFS
MNT, UMNT, EXPORT = 1, 3, 5  # procedures of MOUNT 3, RFC 1813 appendix I
LOOKUP, PUTROOTFH = 15, 24  # operations of NFS 4, RFC 7530 section 16
OK, PERM, NOENT, ACCESS = 0, 1, 2, 13  # statuses of MOUNT 3 and NFS 4
MINOR_VERS_MISMATCH = 10021
MINORS = (2, 1, 0)


def reach(share: Share) -> Iterator[Finding]:
    """Look whether the share's server is there and speaks NFS in the version that is asked for."""
    try:
        address = _resolve(share.host)
    except OSError as error:
        advice = "look at its name, and at /etc/hosts and the name servers of this host"
        yield _bad("name", f"there is no address for {share.host} ({error.strerror})", advice)
        return
    yield Finding("name", good=True, found=f"{share.host} is {address}")
    if not share.over_tcp:
        yield Finding("server", good=True, found="not looked at: the share does not come over plain TCP")
        return
    yield _server(share, address)
    if share.version.startswith("4"):
        yield _minor(share, address)


def probe(share: Share) -> Iterator[Finding]:
    """Look at everything that a mount needs; what comes after the first that is not good says nothing more."""
    for finding in reach(share):
        yield finding
        if not finding.good:
            return
    if share.over_tcp:
        address = _resolve(share.host)
        try:
            try:
                yield from _mountable(share, address) if share.version == "3" else _visible(share, address)
            except NotServed:  # by a server that has version 3 only, asked for any
                yield from _mountable(share, address)
        except (RpcError, OSError) as error:
            yield Finding("export", good=True, found=f"not looked at: {_said(error)}")


# -- server and version -----------------------------------------------------------------------------------------------


def _server(share: Share, address: str) -> Finding:
    """Call nothing in particular (NULL): the server answers, or says which versions it has."""
    version, port = 3 if share.version == "3" else 4, share.port
    where = address if address == share.host else f"{share.host} ({address})"
    try:
        if version == 3 and "port" not in share.options:
            port = onc_rpc.PORTMAPPER_PORT
            if not (port := _port(address, NFS, 3)):
                return _bad("version", f"{where} does not serve NFS 3: its rpcbind knows of none", _other(address))
        server = Caller(address, port, WITHIN)
    except RpcError as error:
        return _bad(
            "server", f"rpcbind on {where} does not tell the port of NFS: {error}", "give it by the option port"
        )
    except OSError as error:
        return _unreachable(where, port, error)
    with server:
        return _null(share, server, f"{where}, TCP port {port},", version)


def _null(share: Share, server: Caller, where: str, version: int) -> Finding:
    try:
        server.call(NFS, version, NULL)
    except NotServed as error:
        if share.version == "" and error.highest == 3:
            return Finding("server", good=True, found=f"{where} serves NFS 3")
        if not error.highest:
            return _bad("server", f"{where} serves no NFS", "look at what runs there, and at the option port")
        has = f"{error.lowest} to {error.highest}" if error.lowest < error.highest else f"{error.highest}"
        return _bad(
            "version", f"{where} serves NFS {has}, not {share.version or 4}", f"define it with -o vers={error.highest}"
        )
    except TimeoutError:
        found = f"{where} accepts connections and answers nothing: the NFS server hangs"
        return _bad("server", found, "look at the server's log and disks, and restart its NFS server")
    except (RpcError, OSError) as error:
        return _bad("server", f"{where} does not speak NFS: {_said(error)}", "look at what runs there, and at its log")
    return Finding("server", good=True, found=f"{where} serves NFS {version}")


def _unreachable(where: str, port: int, error: OSError) -> Finding:
    if isinstance(error, ConnectionRefusedError):
        found = f"{where} refuses connections to TCP port {port}"
        return _bad("server", found, "start the NFS server there, and let its firewall pass this port")
    if isinstance(error, TimeoutError):
        found = f"{where} does not answer on TCP port {port} within {WITHIN:g} s"
        return _bad("server", found, "is it on? does a firewall drop what this host sends?")
    found = f"{where} cannot be reached on TCP port {port}: {_said(error)}"
    return _bad("server", found, "is it on? look at this host's routes")


def _minor(share: Share, address: str) -> Finding:
    """Ask in the minor version, whether the server has it; 4 alone means the highest that both have."""
    try:
        with Caller(address, share.port, WITHIN) as server:
            offered = [minor for minor in MINORS if _compound(server, minor, [uint(PUTROOTFH)]) != MINOR_VERS_MISMATCH]
    except (RpcError, OSError) as error:
        return _bad(
            "version", f"{share.host} does not say which versions of NFS 4 it has: {_said(error)}", "look at its log"
        )
    has = " and ".join(f"4.{minor}" for minor in reversed(offered)) or "none"
    if offered and (share.version == "4" or int(share.version[2:]) in offered):
        return Finding("version", good=True, found=f"{share.host} has NFS {has}")
    advice = f"define it with -o vers=4.{offered[0]}" if offered else "define it with -o vers=3"
    return _bad("version", f"{share.host} does not offer NFS {share.version}; of NFS 4 it has {has}", advice)


def _other(address: str) -> str:
    """Advise how to mount instead of with version 3."""
    try:
        with Caller(address, 2049, WITHIN) as server:
            server.call(NFS, 4, NULL)
    except (RpcError, OSError):
        return "start its NFS server, or let it serve version 3"
    return "define it with -o vers=4.2, or let it serve version 3"


# -- export -----------------------------------------------------------------------------------------------------------


def _visible(share: Share, address: str) -> Iterator[Finding]:
    """Walk to the export as version 4.0 does; a server without 4.0 is not asked."""
    names = [name.encode() for name in share.path.split("/") if name]
    operations = [uint(PUTROOTFH), *(uint(LOOKUP) + opaque(name) for name in names)]
    with Caller(address, share.port, WITHIN) as server:
        status, us = _compound(server, 0, operations), server.seen_from
    if status == OK:
        yield Finding("export", good=True, found=f"{share.path} is there")
    elif status == NOENT:
        found = f"there is no export {share.path} that this host ({us}) may see"
        yield _bad(
            "export", found, f"make it, or let it be seen by {us}: NFS 4 tells both in the same way{_seen(address)}"
        )
    elif status in {PERM, ACCESS}:
        yield _bad(
            "export", f"{share.path} is closed to this host ({us})", f"let {us} in at the server{_seen(address)}"
        )
    elif status != MINOR_VERS_MISMATCH:
        yield _bad("export", f"{share.path} is refused with NFS status {status}", "look at the server's log")


def _mountable(share: Share, address: str) -> Iterator[Finding]:
    """Ask for the export as version 3 does."""
    with _mountd(share, address) as mountd:
        status, us = mountd.call(MOUNT, 3, MNT, opaque(share.path.encode())).uint(), mountd.seen_from
        if status == OK:
            mountd.call(MOUNT, 3, UMNT, opaque(share.path.encode()))
            yield Finding("export", good=True, found=f"{share.path} is there")
            return
    if status == NOENT:
        yield _bad("export", f"there is no export {share.path}", f"make it at the server{_seen(address)}")
    else:
        found = f"the server does not let this host ({us}) mount {share.path}"
        yield _bad("export", found, f"export it, and to {us}{_seen(address)}")


def _mountd(share: Share, address: str) -> Caller:
    port = int(share.options.get("mountport", 0)) or _port(address, MOUNT, 3)
    if not port:
        raise RpcError("the server has no mountd")
    return Caller(address, port, WITHIN)


def _seen(address: str) -> str:
    """Say which exports the server lists for this host; not every server does (NFS 4 alone needs no mountd)."""
    try:
        if not (port := _port(address, MOUNT, 3)):
            return ""
        with Caller(address, port, WITHIN) as mountd:
            listed = sorted(_exports(mountd.call(MOUNT, 3, EXPORT)))
    except (RpcError, OSError):
        return ""
    return f" (it lists {', '.join(listed)})" if listed else " (it lists no export)"


def _exports(answer: Reader) -> Iterator[str]:
    while answer.uint():
        yield os.fsdecode(answer.opaque())
        while answer.uint():  # who may
            answer.opaque()


# ---------------------------------------------------------------------------------------------------------------------


def _compound(server: Caller, minor: int, operations: list[bytes]) -> int:
    """Return the status of operations of NFS 4, which is that of the first that fails."""
    body = opaque(b"") + uint(minor, len(operations)) + b"".join(operations)
    return server.call(NFS, 4, COMPOUND, body).uint()


def _port(address: str, program: int, version: int) -> int:
    return onc_rpc.port_of(address, program, version, WITHIN)


def _resolve(host: str) -> str:
    """Return the address that the client will go to, the first.  Raises OSError."""
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and (number := error.errno) is not None and number in errno.errorcode:
        return os.strerror(number)
    return "no answer" if isinstance(error, TimeoutError) else str(error)


def _bad(what: str, found: str, advice: str) -> Finding:
    return Finding(what, good=False, found=found, advice=advice)
