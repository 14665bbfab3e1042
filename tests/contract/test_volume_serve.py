"""The volume plugin over its own socket while no database was ever reached: what is unknown is not called missing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.moorage import CHECKOUT
from tests.waiting import until

CONFIG = """
[host]
name = "a"
[records]
remote = "unix:{place}/db.sock"
[volplugin]
socket = "{place}/moorage-vol.sock"
admin = "{place}/admin.sock"
directory = "{place}/volumes"
docker = "unix://{place}/docker.sock"
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A daemon without a database; its socket."""
    place = tmp_path_factory.mktemp("volplugin")
    (place / "moorage.toml").write_text(CONFIG.format(place=place))
    daemon = subprocess.Popen(
        [sys.executable, "-c", "from volplugin.agent import main; main()", "--config", str(place / "moorage.toml")],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        until((place / "moorage-vol.sock").exists, within=30)
        yield place / "moorage-vol.sock"
    finally:
        daemon.terminate()
        daemon.wait(10)


def ask(plugin: Path, method: str, body: bytes) -> bytes:
    """Call as dockerd does; return all that comes back before the connection ends, or a whole answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(plugin))
        head = f"POST /{method} HTTP/1.1\r\nHost: \r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        client.sendall(head.encode() + body)
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


def test_it_activates_at_once(plugin: Path) -> None:
    assert b'{"Implements":["VolumeDriver"]}' in ask(plugin, "Plugin.Activate", b"")


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("Get", b'{"Name":"data"}\n'),
        ("Get", b""),  # Docker's repetition of a call whose connection broke: an error would mean "no such volume"
        ("List", b"{}\n"),
    ],
)
def test_what_cannot_be_known_is_answered_with_nothing_at_all(plugin: Path, method: str, body: bytes) -> None:
    """Any answer but a volume makes Docker use a local one of that name (PROTOCOL 4.4)."""
    assert b"" == ask(plugin, f"VolumeDriver.{method}", body)


@pytest.mark.parametrize("method", ["Create", "Mount", "Unmount", "Remove"])
def test_what_cannot_be_done_is_refused_with_the_reason(plugin: Path, method: str) -> None:
    head, _, body = ask(plugin, f"VolumeDriver.{method}", b'{"Name":"data","ID":"ab"}\n').partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 ")
    assert "records unavailable" in json.loads(body)["Err"]
