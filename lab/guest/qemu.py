"""The QEMU process of a guest, and its monitor (QMP)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.command import LabError, run, wait_for

SCRIPT = Path(__file__).with_name("qemu.sh")
MEMORY = 1024  # MiB
PROGRAM = "qemu-system-x86_64"
# tb-size: MiB for translated code; with 192 what Docker runs is translated again and again, at twice the time
MACHINE = [
    "-accel", "tcg,thread=multi,tb-size=512", "-machine", "q35,usb=off,vmport=off", "-cpu", "max",
    "-m", str(MEMORY), "-smp", "2", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
    "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
]  # fmt: skip
# apparmor=0: the kernel has AppArmor, and Docker then wants its tools, which the image does not have
KERNEL = (
    "console=ttyS0 rw quiet loglevel=4 panic=5 mitigations=off random.trust_cpu=on apparmor=0 systemd.show_status=0"
)


def version() -> str:
    """Return QEMU's version: the memory of a guest is read by the version that wrote it."""
    return run([PROGRAM, "--version"]).partition("\n")[0]


class Qemu:
    """A running guest; it dies with this process, and its directory goes with it."""

    def __init__(self, kernel: Path, initrd: Path, disk: Path, memory: Path | None = None) -> None:
        """Start from `disk` (raw or qcow2), which is not written to; with `memory`, where that was saved."""
        self.directory = Path(tempfile.mkdtemp(prefix="moorage-guest-"))
        kind = disk.suffix.lstrip(".")
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", kind, self.overlay])
        words = [
            PROGRAM, *MACHINE, "-kernel", kernel, "-initrd", initrd, "-append", KERNEL,
            "-serial", f"file:{self.directory}/console",
            "-qmp", f"unix:{self.directory}/monitor,server=on,wait=off",
            "-chardev", f"socket,id=agent,path={self.agent},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=agent",
            "-drive", f"file={self.overlay},if=virtio,cache=unsafe,discard=unmap",
            *(["-incoming", f"exec:cat {memory}"] if memory else []),
        ]  # fmt: skip
        with (self.directory / "log").open("wb") as log:
            self._keeper = subprocess.Popen(
                ["unshare", "--fork", "--kill-child", "--pid", "--net", "sh", SCRIPT, self.directory, *map(str, words)],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            self._wait("QEMU to start", self._started, 20)
            if memory:
                self._wait("the memory to be read", self._loaded, 60)
                self.monitor("cont")
        except BaseException:
            self.close()
            raise

    @property
    def overlay(self) -> Path:
        """What the guest has written to its disk."""
        return self.directory / "disk.qcow2"

    @property
    def agent(self) -> Path:
        """The Unix socket that leads to the agent's port."""
        return self.directory / "agent"

    def alive(self) -> bool:
        """Return whether QEMU runs."""
        return self._keeper.poll() is None and not (self.directory / "ended").exists()

    def told(self) -> str:
        """Return the last that QEMU and the guest's console said."""
        files = (self.directory / "log", self.directory / "console")
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in files if file.exists()).strip()

    def monitor(self, verb: str, **arguments: Any) -> Any:
        """Give QEMU a command of QMP and return its answer.

        Raises:
            LabError: QEMU refuses it.

        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(60)
            wire.connect(str(self.directory / "monitor"))
            with wire.makefile("r") as answers:
                answers.readline()  # the greeting
                for request in ({"execute": "qmp_capabilities"}, {"execute": verb, "arguments": arguments}):
                    wire.sendall(json.dumps(request).encode())
                    answer = _answer(answers.readline)
        return answer

    def save(self, memory: Path, disk: Path) -> None:
        """Stop it, write its memory and what it has written to its disk, and end it."""
        self.monitor("stop")
        self.monitor("migrate", uri=f"exec:cat > {memory}")
        self._wait("the memory to be written", self._migrated, 120)
        self.monitor("quit")
        wait_for("QEMU to end", lambda: not self.alive(), 20)
        shutil.move(self.overlay, disk)
        self.close()

    def close(self) -> None:
        """Switch it off, as by the power cord."""
        self._keeper.communicate(timeout=30)

    def _wait(self, what: str, condition: Callable[[], object], within: float) -> None:
        wait_for(what, lambda: not self.alive() or condition(), within)
        if not self.alive():
            msg = f"QEMU ended: {self.told()}"
            raise LabError(msg)

    def _started(self) -> bool:
        return self.agent.exists() and (self.directory / "monitor").exists()

    def _loaded(self) -> bool:
        return bool(self.monitor("query-status")["status"] != "inmigrate")

    def _migrated(self) -> bool:
        return bool(self.monitor("query-migrate").get("status") == "completed")


def _answer(lines: Any) -> Any:
    """Return the answer to a command, past the events that come in between."""
    while line := lines():
        message = json.loads(line)
        if "return" in message:
            return message["return"]
        if "error" in message:
            raise LabError(str(message["error"]))
    msg = "QEMU hung up"
    raise LabError(msg)


def leftovers() -> list[str]:
    """Return the directories of guests."""
    return sorted(name for name in os.listdir(tempfile.gettempdir()) if name.startswith("moorage-guest-"))  # noqa: PTH208
