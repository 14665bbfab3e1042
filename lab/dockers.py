"""The Docker that a host of the lab runs: the machine's own, or another Debian release's unpacked by lab/dockers.sh."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.command import LabError, run

RELEASES = ("bookworm", "trixie", "forky")  # 20.10, 26.1, 28.5; lab/dockers.sh unpacks all but the machine's own
UNPACKED = Path(sys.prefix) / "docker"  # beside what else the environment has
CHOSEN = "MOORAGE_LAB_DOCKER"  # environment variable: a release, or how a version begins; empty: the machine's own
# The command line that came with dockerd, where there are several: a newer one refuses what an older daemon cannot.
CLIENT = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"


@dataclasses.dataclass(frozen=True, slots=True)
class Docker:
    """The programs of one release; those that `directory` lacks (runc) are the machine's own."""

    release: str
    directory: Path | None = None  # None: the machine's own

    @property
    def search(self) -> str:
        """The PATH to run dockerd with."""
        own = os.environ["PATH"]
        return own if self.directory is None else f"{self.directory}:{own}"

    @property
    def client(self) -> str:
        """The command line."""
        return CLIENT if self.directory is None else str(self.directory / "docker")

    @property
    def version(self) -> str:
        """The version of dockerd, like 26.1.5+dfsg1."""
        said = run([shutil.which("dockerd", path=self.search) or "dockerd", "--version"])
        return said.removeprefix("Docker version ").partition(",")[0].strip()


def find(name: str = "") -> Docker:
    """Return the Docker of a release or version; of an empty name what the environment chooses, or the machine's own.

    Raises:
        LabError: there is none.

    """
    wanted = name or os.environ.get(CHOSEN, "")
    own = _own_release()
    if wanted in {"", own}:
        return Docker(own)
    if wanted in RELEASES:
        if (directory := UNPACKED / wanted / "bin").is_dir():
            return Docker(wanted, directory)
        msg = f"Docker of Debian's {wanted} is not in {UNPACKED}: run lab/dockers.sh"
        raise LabError(msg)
    found = {docker.version: docker for docker in _all(own)}
    for version, docker in found.items():
        if f"{version}.".startswith(f"{wanted}."):
            return docker
    msg = f"there is no Docker {wanted}, only {', '.join(found)}; lab/dockers.sh unpacks those of {', '.join(RELEASES)}"
    raise LabError(msg)


def _all(own: str) -> Iterator[Docker]:
    yield Docker(own)
    for release in RELEASES:
        if (directory := UNPACKED / release / "bin").is_dir():
            yield Docker(release, directory)


def _own_release() -> str:
    """Return the code name of the machine's Debian."""
    lines = Path("/etc/os-release").read_text().splitlines()
    return next((line.partition("=")[2].strip('"') for line in lines if line.startswith("VERSION_CODENAME=")), "")
