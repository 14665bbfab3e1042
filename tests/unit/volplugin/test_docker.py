"""What Docker's API tells of volumes, by a small server on a real Unix socket."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemonkit.docker import DockerAway
from tests.engine import Engine, running
from volplugin.docker import Docker


def mount(name: str, driver: str = "moorage-vol") -> dict[str, Any]:
    return {"Type": "volume", "Name": name, "Source": "", "Destination": f"/{name}", "Driver": driver, "RW": True}


CONTAINERS = [
    {"Id": "c1", "Mounts": [mount("data"), mount("data"), mount("mine", "local")]},
    {"Id": "c2", "Mounts": [mount("data"), mount("logs"), {"Type": "bind", "Source": "/etc", "Destination": "/etc"}]},
    {"Id": "c3", "Mounts": None},
    {"Id": "c4"},
]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with running(tmp_path / "docker.sock") as made:
        made.answers = {"/containers/json": (200, json.dumps(CONTAINERS).encode())}
        yield made


def test_it_tells_how_often_running_containers_have_each_volume_of_ours(engine: Engine) -> None:
    assert {"data": 3, "logs": 1} == Docker(f"unix://{engine.server_address!s}").used("moorage-vol")


def test_the_one_call_that_is_made_is_safe_beside_ours(engine: Engine) -> None:
    Docker(f"unix://{engine.server_address!s}").used("moorage-vol")

    assert [("/containers/json", "docker")] == engine.seen


@pytest.mark.parametrize(
    ("status", "body"), [(500, b'{"message":"no"}'), (200, b""), (200, b"{}"), (200, b'[{"Mounts":[{"Name":7}]}]')]
)
def test_from_an_answer_that_is_not_whole_nothing_is_concluded(engine: Engine, status: int, body: bytes) -> None:
    engine.answers["/containers/json"] = (status, body)

    with pytest.raises(DockerAway, match="GET /containers/json: "):
        Docker(f"unix://{engine.server_address!s}").used("moorage-vol")
