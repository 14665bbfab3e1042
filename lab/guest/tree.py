"""The file system of a guest as a directory tree: Debian, its kernel, the Python packages of ours, and few settings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.command import LabError, run

TOOLS = ("mmdebstrap", "mkfs.ext4", "depmod", "qemu-img", "qemu-system-x86_64")
RELEASE = "bookworm"
PACKAGES = (
    "busybox-static", "btrfs-progs", "curl", "dbus", "docker.io", "e2fsprogs", "iproute2", "iptables", "iputils-ping",
    "kmod", "nfs-common", "nfs-kernel-server", "nftables", "openvswitch-switch", "procps", "python3", "python3-pip",
    "quota", "rpcbind", "systemd", "systemd-sysv", "udev", "xfsprogs",
)  # fmt: skip
NO_USE = ("doc", "man", "locale", "info", "lintian")  # directories of /usr/share
KERNEL = "boot/vmlinuz-*"
SCRIPT = Path(__file__).with_name("tree.sh")
AGENT = Path(__file__).with_name("agent.py")
FETCHED_WITHIN = 1800  # seconds

UNIT = """[Unit]
Description=Agent of the lab
DefaultDependencies=no
After=systemd-udevd.service systemd-remount-fs.service
[Service]
ExecStartPre=/bin/sh -c 'n=0; until [ -e /dev/virtio-ports/agent ] || [ $n -ge 300 ]; do sleep 0.1; n=$((n+1)); done'
ExecStart=/usr/bin/python3 -S /usr/local/lib/moorage-agent.py
Restart=always
RestartSec=1
OOMScoreAdjust=-900
[Install]
WantedBy=sysinit.target
"""
FILES = {
    "etc/systemd/system/moorage-agent.service": UNIT,
    # Daemons are started by who wants them, and not at each boot
    "etc/systemd/system-preset/00-lab.preset": "enable moorage-agent.service\ndisable *\n",
    "etc/udev/rules.d/99-agent.rules": 'KERNEL=="vport*", ATTR{name}=="agent", SYMLINK+="virtio-ports/agent"\n',
    "etc/fstab": "",
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1 localhost guest\n",
    "etc/resolv.conf": "",
    # without one systemd takes the boot for the first, and enables all units
    "etc/machine-id": "6d6f6f726167656c6162677565737400\n",
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n",
    "etc/systemd/system.conf.d/lab.conf": "[Manager]\nDefaultTimeoutStopSec=15s\n",
}
MASKED = (  # started without being enabled, and of no use here
    "nfs-blkmap.service", "systemd-binfmt.service", "systemd-pcrphase.service", "systemd-pstore.service",
    "dev-hugepages.mount", "modprobe@efi_pstore.service", "modprobe@drm.service",
)  # fmt: skip


def dependencies(checkout: Path) -> list[str]:
    """Return the Python packages that our daemons need, as pyproject.toml has them."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    return sorted(project["dependencies"])


def make_tree(tree: Path, packages: list[str], log: Path, tell: Callable[[str], None]) -> None:
    """Make it in the directory `tree`; `packages` are Python's, `log` gets what the tools print.

    Raises:
        LabError: something cannot be fetched or is not installed on this machine.

    """
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        msg = f"not installed: {' '.join(missing)}; lab/prepare.sh installs them"
        raise LabError(msg)
    words = [
        "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
        '--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"', "--aptopt=Acquire::Retries 3",
        *(f"--dpkgopt=path-exclude=/usr/share/{directory}/*" for directory in NO_USE),
        f"--include={','.join(PACKAGES)}", f'--customize-hook=sh {SCRIPT} "$1"',
        RELEASE, str(tree), *_sources(),
    ]  # fmt: skip
    _follow(words, {"PYTHON_PACKAGES": "\n".join(packages)}, log, tell)
    for name, text in {**FILES, "usr/local/lib/moorage-agent.py": AGENT.read_text()}.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # it may be a link
        path.write_text(text)
    run(["chroot", tree, "systemctl", "mask", *MASKED])
    run(["chroot", tree, "systemctl", "set-default", "multi-user.target"])
    run(["chroot", tree, "systemctl", "preset-all"])
    run(["depmod", "-b", tree, kernel(tree).name.removeprefix("vmlinuz-")])


def kernel(tree: Path) -> Path:
    """Return the kernel's file."""
    return next(tree.glob(KERNEL))


def _sources() -> Iterator[str]:
    """Yield the archives, at the servers that this machine's apt is configured to use."""
    found = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], check=False).split()
    for name, suite in (("debian", RELEASE), ("debian-security", f"{RELEASE}-security")):
        servers = [uri.rstrip("/") for uri in found if uri.rstrip("/").endswith(f"/{name}")]
        yield f"deb {(servers or [f'http://deb.debian.org/{name}'])[0]} {suite} main"


def _follow(words: list[str], environment: dict[str, str], log: Path, tell: Callable[[str], None]) -> None:
    """Run mmdebstrap, and tell its steps; in namespaces of its own, so that what it mounts goes with it."""
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *words]
    process = subprocess.Popen(
        alone, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env={**os.environ, **environment},
    )  # fmt: skip
    with process, log.open("w") as said:
        try:
            for line in process.stdout or ():
                said.write(line)
                if step := re.match(r"I: (?!running)(.*)", line):
                    tell(step[1])
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        tail = "".join(log.read_text().splitlines(keepends=True)[-30:])
        msg = f"mmdebstrap failed; the end of {log}:\n{tail}"
        raise LabError(msg)
