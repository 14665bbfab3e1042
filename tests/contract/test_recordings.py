"""What real dockerds of four versions have sent, sent again: every answer is as reviewed, field by field.

The files hold, sequence by sequence and command by command, the calls with their real bodies.  `recorded` is what the
IPAM driver of that day answered; the bodies that follow repeat it, so what we answer takes its place in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.plugin import Plugin, plugin

WIRE = Path(__file__).parents[1] / "golden" / "wire"
VERSIONS = ("20", "26", "28", "29")
ENDING = ("RevokeExternalConnectivity", "Leave", "DeleteEndpoint", "ReleaseAddress", "ReleasePool", "DeleteNetwork")

Step = dict[str, Any]
Sequences = Mapping[str, Mapping[str, list[Step]]]


def read(version: str) -> Sequences:
    found: Sequences = json.loads((WIRE / f"docker-{version}.json").read_text())
    return found


SEQUENCES = [(version, name) for version in VERSIONS for name in read(version)]


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


def commands(version: str, name: str) -> Iterator[tuple[str, list[Step]]]:
    """Yield each command of a sequence with its calls."""
    yield from read(version)[name].items()


@pytest.mark.parametrize(("version", "name"), SEQUENCES)
def test_each_call_is_answered_as_reviewed(version: str, name: str) -> None:
    with plugin() as host:
        replay = Replay(host)
        for command, steps in commands(version, name):
            for step in steps:
                assert step["answer"] == replay.send(step), (command, step["call"])
            host.settled()
            assert host.planned() == host.actual(), command


@pytest.mark.parametrize(("version", "name"), SEQUENCES)
def test_calls_that_come_twice_end_where_they_end_once(version: str, name: str) -> None:
    with plugin() as once, plugin() as twice:
        single, double = Replay(once), Replay(twice)
        for command, steps in commands(version, name):
            for step in steps:
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
        for command, steps in commands(version, name):
            ending = all(step["call"].endswith(ENDING) for step in steps)
            for step in steps:
                forward.send(step)
            for step in reversed(steps) if ending else steps:
                assert ("Err" in step["answer"]) == ("Err" in reverse.send(step)), (command, step["call"])
        assert tables(usual) == tables(backwards)
        backwards.swept()
        assert backwards.planned() == backwards.actual()


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


def write(path: Path, sequences: Sequences) -> None:
    """Write a file with our answers of now, one call a line; to be reviewed."""
    parts = []
    for name, by_command in sequences.items():
        lines = []
        with plugin() as host:
            replay = Replay(host)
            for command, steps in by_command.items():
                calls = [json.dumps(step | {"answer": replay.send(step)}, separators=(",", ":")) for step in steps]
                lines.append(f"  {json.dumps(command)}: [\n   " + ",\n   ".join(calls) + "\n  ]")
        parts.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":  # python -m tests.contract.test_recordings: write the answers anew, then review them
    for one in VERSIONS:
        write(WIRE / f"docker-{one}.json", read(one))
