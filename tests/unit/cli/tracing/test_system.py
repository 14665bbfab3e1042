"""What a trace asks the machine, where the machine answers oddly: the real answers are in the system tests."""

import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.tracing.facts import CannotLook
from cli.tracing.system import iptables
from cli.tracing.system.docker import DockerKnows
from cli.tracing.system.openvswitch import Switch

SAVED = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n"


class Control(socketserver.ThreadingUnixStreamServer):
    """A control socket that says `answer`."""

    daemon_threads = True
    answer = b""
    asked: list[dict[str, object]]


class Asked(socketserver.BaseRequestHandler):
    server: Control

    def handle(self) -> None:
        self.server.asked.append(json.loads(self.request.recv(4096)))
        for i in range(0, len(self.server.answer), 7):  # in pieces
            self.request.sendall(self.server.answer[i : i + 7])


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    (tmp_path / "ovs-vswitchd.pid").write_text("42\n")
    with Control(str(tmp_path / "ovs-vswitchd.42.ctl"), Asked) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_open_vswitch_is_asked_in_its_own_words(control: Control, tmp_path: Path) -> None:
    control.answer = json.dumps({"id": 0, "result": "Flow: x\n", "error": None}).encode()

    assert "Flow: x\n" == Switch(str(tmp_path), "moorage0").trace("arp,in_port=1")
    assert [{"id": 0, "method": "ofproto/trace", "params": ["moorage0", "arp,in_port=1"]}] == control.asked


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"id": 0, "result": null, "error": "Unknown bridge name"}', "refuses ofproto/trace: Unknown bridge name"),
        (b"", "closed the connection"),
        (b'{"id": 0, "resu', "closed the connection"),
        (b"[1, 2]", "closed the connection"),
    ],
)
def test_what_open_vswitch_refuses_or_garbles_is_told(
    control: Control, tmp_path: Path, answer: bytes, words: str
) -> None:
    control.answer = answer

    with pytest.raises(CannotLook, match=words):
        Switch(str(tmp_path), "moorage0").trace("x")


def test_open_vswitch_that_does_not_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match="no control socket"):
        Switch(str(tmp_path), "moorage0").ports()

    (tmp_path / "ovs-vswitchd.ctl").touch()

    with pytest.raises(CannotLook, match="does not answer"):
        Switch(str(tmp_path), "moorage0").ports()


def test_docker_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match="Docker does not answer"):
        DockerKnows(f"unix://{tmp_path}/docker.sock", "moorage-net").containers()


def tool(directory: Path, name: str, text: str, status: int = 0) -> None:
    (directory / f"{name}.txt").write_text(text)
    (directory / name).write_text(f"#!/bin/sh\n/bin/cat {directory}/{name}.txt\nexit {status}\n")
    (directory / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_rules_are_read_and_foreign_tables_of_nftables_noted(tools: Path) -> None:
    tables = [("ip", "filter"), ("inet", "firewalld"), ("ip6", "mine"), ("ip", "mine")]
    listed = [{"metainfo": {}}, *({"table": {"family": family, "name": name}} for family, name in tables)]
    tool(tools, "nft", json.dumps({"nftables": listed}))
    for version, name in iptables.TOOL.items():
        tool(tools, name, SAVED)
        found = iptables.read(version)

        assert found.chain("filter", "INPUT") is not None
        expected = {4: ("inet firewalld", "ip mine"), 6: ("inet firewalld", "ip6 mine")}[version]
        assert tuple(f"nftables table {table} is not looked at" for table in expected) == found.notes


def test_rules_are_read_without_nft_too(tools: Path) -> None:
    tool(tools, "iptables-save", SAVED)

    assert () == iptables.read(4).notes


@pytest.mark.parametrize(("text", "status"), [(SAVED, 1), ("nonsense\n", 0), (None, 0)])
def test_rules_that_cannot_be_read_are_told(tools: Path, text: str | None, status: int) -> None:
    if text is not None:
        tool(tools, "iptables-save", text, status)

    with pytest.raises(CannotLook, match="iptables-save"):
        iptables.read(4)
