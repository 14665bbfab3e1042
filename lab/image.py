"""A root file system for `docker import`: static busybox, and programs with the libraries they need."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

from lab.command import LabError, run

IMAGE = "lab:latest"
DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin", "www"]
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "www/index.html": "hello\n",  # for `httpd -f -h /www`
}


def make_image(to: Path, programs: Iterable[str] = ("iperf3",)) -> None:
    """Write the tar file `to`.

    Raises:
        LabError: busybox or one of `programs` is not installed.

    """
    busybox = Path(_installed("busybox"))
    with tarfile.open(to, "w") as tar:
        for name in DIRECTORIES:
            _add(tar, name, kind=tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        _add(tar, "bin/busybox", busybox.read_bytes())
        for applet in run([busybox, "--list"]).split():
            if applet != "busybox":
                _add(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox")
        for name, text in FILES.items():
            _add(tar, name, text.encode(), mode=0o644)
        libraries: set[str] = set()
        for program in map(_installed, programs):
            _add(tar, f"usr/bin/{Path(program).name}", Path(program).read_bytes())
            libraries.update(word for word in run(["ldd", program]).split() if word.startswith("/"))
        for library in sorted(libraries):
            _add(tar, library.lstrip("/"), Path(library).read_bytes())


def _installed(program: str) -> str:
    if found := shutil.which(program):
        return found
    msg = f"{program} is not installed; lab/prepare.sh installs what the lab needs"
    raise LabError(msg)


def _add(
    tar: tarfile.TarFile,
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o755,
    link: str = "",
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.linkname, member.size = kind, mode, link, len(content)
    tar.addfile(member, io.BytesIO(content))
