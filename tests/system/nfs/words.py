"""What the tests of NFS share: backends on an export, volumes, commands in a container of one."""

from __future__ import annotations

from pathlib import Path

from lab.ganesha import Ganesha
from lab.host import Host
from lab.image import IMAGE


def backend(host: Host, name: str, *options: str, source: str = "") -> None:
    """Define a backend; its source is the export of its name."""
    words = [word for option in options for word in ("-o", option)]
    host.moorage("backend", "add", name, "--kind", "nfs", "--source", source or f"nas:/{name}", *words)


def share(host: Host, nas: Ganesha, name: str, *options: str) -> Path:
    """Export a directory and define a backend on it; return the directory."""
    path = nas.export(name)
    backend(host, name, *options)
    return path


def create(host: Host, volume: str, on: str, *options: str) -> None:
    """Make a volume on a backend."""
    words = [word for option in options for word in ("-o", option)]
    host.docker("volume", "create", "-d", "moorage-vol", "-o", f"backend={on}", *words, volume)


def run(host: Host, volume: str, command: str, timeout: float = 60) -> str:
    """Run a command in a container of the volume, in its top directory, and return what it printed."""
    return host.docker(*words(volume, command), timeout=timeout).strip()


def words(volume: str, command: str) -> list[str]:
    """Return the words for `docker` to do that with."""
    return ["run", "--rm", "-v", f"{volume}:/data", IMAGE, "sh", "-c", f"cd /data && {{ {command}; }}"]
