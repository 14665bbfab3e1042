"""What the README tells users to type works, in that order."""

import os
import re
import sys
from pathlib import Path

import pytest

from lab.host import Host
from lab.image import IMAGE
from tests.system.steps import nothing_left

pytestmark = pytest.mark.system

README = Path(__file__).parents[2] / "README.md"


def examples() -> list[str]:
    """Return the commands of the README's console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", README.read_text(), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_the_examples_work_as_they_stand(host: Host) -> None:
    host.docker("tag", IMAGE, "busybox")  # no registry is asked
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = {line: host.exec("env", f"PATH={path}", "sh", "-c", line, timeout=120) for line in examples()}
    host.docker("rmi", "busybox")

    assert any(line.startswith("docker network create") for line in said)
    assert " 0% packet loss" in said["docker run --rm --network web busybox ping -c 3 zoo1"]
    assert "80/tcp -> 0.0.0.0:8080\n80/tcp -> 127.0.0.1:9000\n" in said["moorage port web1"]
    assert "0.0.0.0:8080\n127.0.0.1:9000\n" == said["moorage port web1 80"]
    assert "FAIL" not in said["moorage backend test --kind local --source /var/lib/moorage/ssd"]
    assert "kept\n" == said["docker run --rm -v db:/data busybox cat /data/file"]
    nothing_left(host)
