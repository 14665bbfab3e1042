"""A guest: booted from its image, or started within seconds from the memory of one that has booted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from lab.command import CommandFailed, LabError, Options, run
from lab.guest import checkout, qemu
from lab.guest.client import Client
from lab.guest.image import CACHE, Image, image, made
from lab.guest.qemu import Qemu
from lab.image import IMAGE, make_image
from lab.moorage import CHECKOUT

BOOTED_WITHIN = 300  # seconds; 15 on a quiet machine
BOOT = (  # what a booted guest has running, whose start takes long under emulation
    ["systemctl", "is-system-running", "--wait"],
    ["modprobe", "-a", "nfs", "nfsv3", "nfsv4", "nfsd", "xfs", "quota_v2", "loop", "overlay"],
    ["systemctl", "start", "docker", "nfs-server"],
    [
        "docker",
        "import",
        "-c",
        'CMD ["sh", "-c", "trap \'exit 0\' TERM; sleep 2147483647 & wait"]',
        "/image.tar",
        IMAGE,
    ],
    ["docker", "run", "--rm", "--network", "none", IMAGE, "true"],
    ["rm", "/image.tar"],
    ["sync"],
)


class Guest:
    """A machine with systemd, Docker and Moorage's code, but no network card; use it in a `with` statement."""

    def __init__(self, image: Image, booted: Path | None = None) -> None:
        """Start it: from the directory that `boot` filled, or else from nothing."""
        memory = booted / "memory" if booted else None
        self.qemu = Qemu(image.kernel, image.initrd, booted / "disk.qcow2" if booted else image.disk, memory)
        try:
            self.client = Client(self.qemu.agent, self.qemu.alive)
            if booted:
                self.client.wait_answer(60)
                self.exec("date", "-s", f"@{time.time():.3f}")  # it stands where the memory was saved
                self.client.put("/dev/urandom", os.urandom(64), 0o666)  # and so do the random numbers
            else:
                self.client.wait_hello(BOOTED_WITHIN)
        except LabError as error:
            said = self.qemu.told()
            self.qemu.close()
            msg = f"{error}\n{said}"
            raise LabError(msg) from error
        except BaseException:
            self.qemu.close()
            raise

    def exec(self, *argv: object, **options: Unpack[Options]) -> str:
        """Run a command to its end and return what it printed; it may take 600 s unless said."""
        return self.client.run(argv, **options)

    def succeeds(self, *argv: object) -> bool:
        """Run a command to its end, and return whether its status was 0."""
        try:
            self.exec(*argv)
        except CommandFailed:
            return False
        return True

    def docker(self, *argv: object, **options: Unpack[Options]) -> str:
        """Run `docker` and return what it printed."""
        return self.exec("docker", *argv, **options)

    def put(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file."""
        self.client.put(path, content.encode() if isinstance(content, str) else content, mode)

    def get(self, path: str) -> bytes:
        """Return what is in a file."""
        return self.client.get(path)

    def install(self, directory: Path = CHECKOUT) -> None:
        """Install a checkout: its packages, commands and entry points."""
        self.put("/checkout.tar", checkout.checkout(directory))
        self.exec("tar", "-C", "/", "--no-same-owner", "-xzf", "/checkout.tar")

    def close(self) -> None:
        """Switch it off; nothing of it is left."""
        self.client.close()
        self.qemu.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(cache: Path = CACHE, tell: Callable[[str], None] | None = None) -> Guest:
    """Start a guest with Docker and the NFS server running; what is missing for it is made if it can be told.

    Raises:
        LabError: it does not start, or what it starts from is missing or cannot be made.

    """
    system = image(cache, tell)
    return Guest(system, booted(system, cache, tell))


def booted(system: Image, cache: Path = CACHE, tell: Callable[[str], None] | None = None) -> Path:
    """Return the directory with the saved memory and disk of a guest that has booted; `tell` is as of `image`."""
    parts = [system.directory.name, qemu.version(), qemu.MACHINE, qemu.KERNEL, BOOT]
    return made(cache, "booted", parts, partial(_boot, system=system, tell=tell) if tell else None)


def _boot(to: Path, system: Image, tell: Callable[[str], None]) -> None:
    start = time.monotonic()

    def progress(step: str) -> None:
        tell(f"guest, {time.monotonic() - start:3.0f} s: {step}")

    progress("booting, to be saved")
    make_image(to / "image.tar")
    with Guest(system) as guest:
        guest.put("/image.tar", (to / "image.tar").read_bytes())
        for words in BOOT:
            progress(" ".join(words[:4]))
            guest.exec(*words, timeout=300)
        progress("saving")
        guest.qemu.save(to / "memory", to / "disk.qcow2")
    (to / "image.tar").unlink()
    below = Path("..") / system.directory.name / system.disk.name  # relative: the checkout may be moved
    run(["qemu-img", "rebase", "-u", "-b", below, "-F", "raw", to / "disk.qcow2"])
    progress(f"saved, {((to / 'memory').stat().st_size + (to / 'disk.qcow2').stat().st_size) >> 20} MiB")
