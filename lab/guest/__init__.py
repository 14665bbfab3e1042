"""A whole machine in QEMU with Debian's own kernel, for what the kernel under the lab's namespaces may lack.

Kernel NFS client and server, project quotas, systemd, cgroup v2.  Software emulation does: no KVM is needed.  A guest
has no network card, runs in an empty network namespace, and ends with the process that started it.
"""
