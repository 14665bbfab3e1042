"""What real dockerds of four versions have sent, sent again: every answer and what is left are as reviewed.

The files hold, sequence by sequence and command by command, the calls with their real bodies, our answers, and how many
records there are after the command.  `recorded` is what the IPAM driver of that day answered; the bodies that follow
repeat it, so what we answer takes its place in them.  Docker's ids are written as `#` and their first 8 digits.
What was recorded while the driver of that day was told to fail is `failures`: what dockerd sends when it gives up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.plugin import Plugin, plugin
from tests.quiet import quiet

WIRE = Path(__file__).parents[1] / "golden" / "wire"
VERSIONS = ("20", "26", "28", "29")
ENDING = ("RevokeExternalConnectivity", "Leave", "DeleteEndpoint", "ReleaseAddress", "ReleasePool", "DeleteNetwork")

Step = dict[str, Any]
Command = dict[str, Any]  # calls: list of steps; left: records by table
Sequences = Mapping[str, Mapping[str, Command]]


def read(path: Path) -> Sequences:
    """Return what a file holds, with ids as long as Docker's."""
    text = path.read_text()
    found: Sequences = json.loads(re.sub(r'"#([0-9a-f]{8})"', lambda m: f'"{m[1] * 8}"', text))
    return found


def spelled(value: object) -> str:
    """Return JSON with ids shortened."""
    text = json.dumps(value, separators=(",", ":"))
    return re.sub(r'"([0-9a-f]{8})[0-9a-f]{56}"', r'"#\1"', text)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    with quiet():
        yield


ALL = {version: read(WIRE / f"docker-{version}.json") for version in VERSIONS}
SEQUENCES = [(version, name) for version in VERSIONS for name in ALL[version]]


class Replay:
    """A sequence sent to a plugin of its own; what the recording says of addresses is put in our words, and back."""

    def __init__(self, host: Plugin) -> None:
        self.host = host
        self.ours: dict[str, str] = {}  # by what was recorded

    def send(self, step: Step) -> dict[str, Any]:
        """Send one call; return the answer in the recording's words."""
        answer = self.host.post(step["call"], self._translated(step["body"], self.ours))
        for key, recorded in step.get("recorded", {}).items():
            if isinstance(answer.get(key), str):
                self.ours[recorded] = answer[key]
                self.ours[recorded.partition("/")[0]] = answer[key].partition("/")[0]
        return dict(self._translated(answer, {"": ""} | {self.ours[r]: r for r in step.get("recorded", {}).values()}))

    def _translated(self, value: Any, words: Mapping[str, str]) -> Any:
        if isinstance(value, dict):
            return {key: self._translated(one, words) for key, one in value.items()}
        if isinstance(value, list):
            return [self._translated(one, words) for one in value]
        return words.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize(("version", "name"), SEQUENCES)
def test_each_call_is_answered_as_reviewed(version: str, name: str) -> None:
    with plugin() as host:
        replay = Replay(host)
        for command, now in ALL[version][name].items():
            for step in now["calls"]:
                assert step["answer"] == replay.send(step), (command, step["call"])
            assert now["left"] == host.left(), command
            host.settled()
            assert host.planned() == host.actual(), command


@pytest.mark.parametrize(("version", "name"), SEQUENCES)
def test_calls_that_come_twice_end_where_they_end_once(version: str, name: str) -> None:
    with plugin() as once, plugin() as twice:
        single, double = Replay(once), Replay(twice)
        for command, now in ALL[version][name].items():
            for step in now["calls"]:
                single.send(step)
                first = double.send(step)
                if "recorded" not in step:  # who asks twice for a pool or an address gets two
                    assert first == double.send(step), (command, step["call"])
        assert tables(once) == tables(twice)
        twice.swept()
        assert twice.planned() == twice.actual()


@pytest.mark.parametrize(("version", "name"), SEQUENCES)
def test_what_ends_things_may_come_in_any_order(version: str, name: str) -> None:
    with plugin() as usual, plugin() as backwards:
        forward, reverse = Replay(usual), Replay(backwards)
        for command, now in ALL[version][name].items():
            steps = now["calls"]
            ending = all(step["call"].endswith(ENDING) for step in steps)
            for step in steps:
                forward.send(step)
            for step in reversed(steps) if ending else steps:
                assert ("Err" in step["answer"]) == ("Err" in reverse.send(step)), (command, step["call"])
        assert tables(usual) == tables(backwards)
        backwards.swept()
        assert backwards.planned() == backwards.actual()


@pytest.mark.parametrize("name", ["basics", "failures", "ipam", "restart"])
def test_after_the_same_command_of_any_version_the_same_is_left(name: str) -> None:
    for command, now in ALL["20"][name].items():
        for version in VERSIONS[1:]:
            if command.startswith("G6d"):
                continue  # 20 and 26 delete no endpoint whose creation was answered badly; the next one replaces it
            assert now["left"] == ALL[version][name][command]["left"], (version, command)


def tables(host: Plugin) -> dict[str, set[str]]:
    """Return what the records hold, by what does not change from run to run."""
    records = host.records
    return {
        "networks": {f"{n.name} {n.mtu} {n.gateway} {n.segment}" for n in records.networks},
        "subnets": {f"{s.cidr} {s.gateway} {s.range} {s.managed}" for s in records.subnets},
        "addresses": {f"{a.ip} {a.use}" for a in records.addresses},
        "endpoints": {f"{e.docker_id} {e.ipv4} {e.ipv6} {e.mac} {e.ofport}" for e in records.endpoints},
        "vrfs": {f"{v.zone} {v.ofport}" for v in records.vrfs},
    }


def answered(commands: Mapping[str, Command]) -> dict[str, Command]:
    """Return commands with our answers of now."""
    found = {}
    with plugin() as host:
        replay = Replay(host)
        for command, now in commands.items():
            calls = [step | {"answer": replay.send(step)} for step in now["calls"]]
            found[command] = {"left": host.left(), "calls": calls}
    return found


def page(sequences: Sequences) -> str:
    """Return the text of a file, one call a line."""
    parts = []
    for name, commands in sequences.items():
        lines = []
        for command, now in commands.items():
            head = f'  {json.dumps(command)}: {{"left": {spelled(now["left"])}, "calls": [\n   '
            lines.append(head + ",\n   ".join(spelled(step) for step in now["calls"]) + "\n  ]}")
        parts.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write(path: Path, sequences: Sequences) -> None:
    """Write a file with our answers of now; to be reviewed."""
    path.write_text(page({name: answered(commands) for name, commands in sequences.items()}))


if __name__ == "__main__":  # python -m tests.contract.test_recordings: write the answers anew, then review them
    with quiet():
        for one in VERSIONS:
            write(WIRE / f"docker-{one}.json", ALL[one])
