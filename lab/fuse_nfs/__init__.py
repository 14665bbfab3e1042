"""A stand-in for mount.nfs and mount.nfs4 on machines whose kernel has no NFS client: real NFS on the wire, FUSE here.

`python -m lab.fuse_nfs NAME SPEC DIR [-o OPTIONS]` is what mount(8) runs, under either NAME.  A hard mount hangs while
the server is away and goes on when it is back; a soft one gives EIO; a share that was replaced is stale (ESTALE).

What differs from the kernel's client: the type of the mounted file system is fuse.nfs or fuse.nfs4; one identity (root)
speaks to the server, and permissions are checked on this side; locks and O_EXCL are known on this machine only; 4.2 is
spoken as 4.1, and of version 4 an export can be mounted, not the root above all exports; `umount` does not wait for the
server.
"""
