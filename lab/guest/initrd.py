"""The first file system of a guest: busybox and the few modules of the kernel that lead to its disk."""

from __future__ import annotations

import lzma
import stat
from collections.abc import Iterator
from pathlib import Path

from lab.command import LabError

MODULES = ("virtio_pci", "virtio_blk", "ext4", "quota_v2")  # quota_v2: ext4 asks for it where the disk has quotas
DIRECTORIES = ("bin", "dev", "proc", "root", "modules")
INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
while read -r module; do /bin/busybox insmod /modules/$module; done </modules/order
n=0
until [ -b /dev/vda ] || [ $n -ge 300 ]; do
    /bin/busybox sleep 0.1
    n=$((n + 1))
done
/bin/busybox mount -t ext4 -o rw,noatime,prjquota /dev/vda /root
/bin/busybox umount /proc
/bin/busybox umount /dev
exec /bin/busybox switch_root /root /sbin/init
"""


def initrd(tree: Path, release: str) -> bytes:
    """Return it, for the system in `tree` and its kernel's `release`; `depmod` has been run there.

    Raises:
        LabError: the tree has no static busybox.

    """
    busybox = tree / "usr/bin/busybox"
    if not busybox.exists():
        msg = f"{busybox} is missing"
        raise LabError(msg)
    files = {"bin/busybox": busybox.read_bytes(), "init": INIT.encode()}
    modules = dict(_modules(tree / "lib/modules" / release))
    files |= {f"modules/{name}": content for name, content in modules.items()}
    files["modules/order"] = "".join(f"{name}\n" for name in modules).encode()
    directory, file = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755
    entries = [(name, directory, b"") for name in DIRECTORIES]
    return _archive([*entries, *((name, file, content) for name, content in files.items())])


def _modules(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the modules, each after those it needs; what is built into the kernel is none."""
    lines = (line.partition(":") for line in (directory / "modules.dep").read_text().splitlines())
    needs = {file: needed.split() for file, _, needed in lines}
    by_name = {Path(file).name.partition(".")[0].replace("-", "_"): file for file in needs}
    for module in MODULES:
        if file := by_name.get(module):
            for part in [*reversed(needs[file]), file]:
                content = (directory / part).read_bytes()
                name = Path(part).name
                yield name.removesuffix(".xz"), lzma.decompress(content) if name.endswith(".xz") else content


def _archive(entries: list[tuple[str, int, bytes]]) -> bytes:
    """Return a cpio archive of (name, mode, content), in the form `newc` of cpio(5)."""
    out = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + path
        out += b"\0" * (-len(out) % 4)
        out += content
        out += b"\0" * (-len(out) % 4)
    return bytes(out)
