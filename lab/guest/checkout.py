"""This checkout, as it is installed in a guest: its packages, the commands, and the entry points."""

from __future__ import annotations

import fnmatch
import io
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SITE = "usr/local/lib/python3.11/dist-packages"  # where Debian 12's Python looks for what its owner installs
COMMAND = """#!/usr/bin/python3
import sys
from {module} import {name}
sys.exit({name}())
"""


def checkout(directory: Path) -> bytes:
    """Return a tar of it, to be unpacked at the guest's root; what is compiled already comes with it."""
    project = tomllib.loads((directory / "pyproject.toml").read_text())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for package in _packages(directory, project):
            tar.add(package, f"{SITE}/{package.name}")
        for name, text in _metadata(project["project"]).items():
            _add(tar, f"{SITE}/{name}", text, 0o644)
        for command, target in project["project"]["scripts"].items():
            module, _, name = target.partition(":")
            _add(tar, f"usr/local/bin/{command}", COMMAND.format(module=module, name=name), 0o755)
    return out.getvalue()


def _packages(directory: Path, project: dict[str, Any]) -> Iterator[Path]:
    patterns = project["tool"]["setuptools"]["packages"]["find"]["include"]
    for path in sorted(directory.iterdir()):
        if (path / "__init__.py").exists() and any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns):
            yield path


def _metadata(project: dict[str, Any]) -> dict[str, str]:
    """Return what `importlib.metadata` finds a distribution and its entry points by."""
    directory = f"{project['name']}-{project['version']}.dist-info"
    groups = {"console_scripts": project["scripts"], **project.get("entry-points", {})}
    points = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in groups.items()]
    return {
        f"{directory}/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n",
        f"{directory}/entry_points.txt": "\n".join(points),
    }


def _add(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    member = tarfile.TarInfo(name)
    content = text.encode()
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))
