"""The image that guests start from, made once and kept under a digest of what it is made of.

    CACHE/image-KEY/    vmlinuz, initrd, root.raw
    CACHE/booted-KEY/   disk.qcow2 (over root.raw), memory

A directory is there when it is whole: it is made under another name, and renamed.  `lab.guest.guest` makes the second.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from lab.command import LabError, run
from lab.guest import tree
from lab.guest.initrd import INIT, MODULES, initrd
from lab.moorage import CHECKOUT

CACHE = Path(sys.prefix) / "guest"  # beside what else the environment has
DISK = "8G"  # as the guest sees it; on the machine what it has written
KEPT = 2  # images: that of this checkout, and the one used before it
HALF_MADE = ".new-"


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """What a guest boots from."""

    directory: Path

    @property
    def kernel(self) -> Path:
        """Linux."""
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """Its first file system."""
        return self.directory / "initrd"

    @property
    def disk(self) -> Path:
        """The root file system, an ext4 with project quotas."""
        return self.directory / "root.raw"


def image(cache: Path = CACHE, tell: Callable[[str], None] | None = None) -> Image:
    """Return the image; if there is none, and there is somebody to `tell`, it is made: that takes minutes.

    Raises:
        LabError: it is not there, or cannot be made; what to do is told.

    """
    packages = tree.dependencies(CHECKOUT)
    parts = [tree.RELEASE, tree.PACKAGES, tree.FILES, tree.MASKED, INIT, MODULES, DISK, packages]
    texts = [tree.SCRIPT.read_text(), tree.AGENT.read_text()]
    make = partial(_make, packages=packages, tell=tell) if tell else None
    return Image(made(cache, "image", [parts, texts], make))


def made(cache: Path, kind: str, parts: object, make: Callable[[Path], None] | None) -> Path:
    """Return the directory of `cache` for what is made of `parts`; where it is missing, `make` fills it.

    Raises:
        LabError: it is missing, and `make` is None.

    """
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
    whole = cache / f"{kind}-{key}"
    with _alone(cache):
        if not whole.exists():
            if make is None:
                msg = f"{whole} is not made yet: run `make guest`"
                raise LabError(msg)
            for other in cache.glob(f"{HALF_MADE}*"):
                remove(other)
            half = cache / f"{HALF_MADE}{whole.name}"
            half.mkdir()
            make(half)
            half.rename(whole)
        os.utime(whole)
        by_use = sorted(cache.glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in by_use[KEPT:]:
            remove(old)
    return whole


def remove(directory: Path) -> None:
    """Remove a tree, but nothing that is mounted there."""
    run(["rm", "-rf", "--one-file-system", directory], timeout=300)


def _make(to: Path, packages: list[str], tell: Callable[[str], None]) -> None:
    start = time.monotonic()

    def progress(step: str) -> None:
        tell(f"guest image, {time.monotonic() - start:3.0f} s: {step}")

    root = to / "root"
    progress(f"fetching {len(tree.PACKAGES)} packages of Debian's {tree.RELEASE} and what they need, once; minutes")
    tree.make_tree(root, packages, to / "log", progress)
    kernel = tree.kernel(root)
    (to / "initrd").write_bytes(initrd(root, kernel.name.removeprefix("vmlinuz-")))
    shutil.move(kernel, to / "vmlinuz")
    progress("making the disk")
    with (to / "root.raw").open("wb") as disk:
        disk.truncate(int(DISK.removesuffix("G")) << 30)
    features = ["-m", "0", "-O", "quota,project", "-E", "lazy_itable_init=1,quotatype=prjquota"]
    run(["mkfs.ext4", "-q", "-F", "-L", "root", *features, "-d", root, to / "root.raw"], timeout=900)
    remove(root)
    progress(f"made, {(to / 'root.raw').stat().st_blocks >> 11} MiB")


@contextlib.contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Keep others, who want the same, waiting."""
    cache.mkdir(parents=True, exist_ok=True)
    lock = os.open(cache, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
