"""What real dockerds of four versions have sent to a volume driver, sent again: all answers and what is left.

The files are as those of test_recordings.py.  Options of volumes are ours in the place of those of the driver of that
day.  Where it was told to fail (`failed`), so does our backend; and where it was restarted, so are we.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_recordings import VERSIONS, WIRE, Command, Sequences, Step, page, read
from tests.quiet import quiet
from tests.volume_machine import FakeMachine
from tests.volume_plugin import VolumePlugin, volume_plugin
from tests.waiting import until

VERBS = {"VolumeDriver.Create": "make", "VolumeDriver.Mount": "bind"}  # what the backend is told to fail at
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LONG = re.compile(r"(.)\b([0-9a-f]{8})[0-9a-f]{56}\b(.)")  # an id of Docker's within a text
TOLD = ("State", "Holders", "CreatedWith")  # of what is told of a volume; the rest is the same in all calls


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    with quiet():
        yield


def file(version: str) -> Path:
    return WIRE / f"volumes-{version}.json"


ALL = {version: read(file(version)) for version in VERSIONS}
SEQUENCES = [(version, name) for version in VERSIONS for name in ALL[version]]


class Replay:
    """A sequence sent to a plugin of its own, and what containers use by it."""

    def __init__(self, host: VolumePlugin) -> None:
        self.host = host
        self.uses: Counter[tuple[str, str]] = Counter()  # by volume and mount id

    def begin(self, command: str) -> None:
        """Let happen what is no call."""
        if "recorder restarted" in command:
            self.host.restart()
        if command.startswith(("R3b", "R5b")):  # containers have died without their dockerd
            self.uses.clear()

    def send(self, step: Step) -> dict[str, Any]:
        """Send one call; return the answer without what differs from run to run, or never."""
        machine, call, body = self.host.machine, step["call"], step["body"]
        assert isinstance(machine, FakeMachine)
        if failed := "failed" in step:
            machine.broken[VERBS[call]] = "told to"
        answer = self.host.post(call, body)
        machine.broken.clear()
        if call == "VolumeDriver.Mount" and not failed:
            self.uses[body["Name"], body["ID"]] += 1
        elif call == "VolumeDriver.Unmount":
            self.uses -= Counter([(body["Name"], body["ID"])])
        return dict(self._plain(answer))

    def end(self) -> dict[str, int]:
        """Let the plugin compare with Docker and do what is to be done; return what is left."""
        self.host.listed = dict(Counter(name for name, _ in self.uses))
        self.host.doubts.look()
        self.host.settled()
        until(lambda: not any(volume.problem for volume in self.host.records.volumes))
        return {
            "volumes": len([volume for volume in self.host.records.volumes if not volume.removed]),
            "uses": len(list(self.host.records.holders)),
            "mounted": len(self.host.mounted()),
        }

    def held(self) -> dict[tuple[str, str], int]:
        """Return what the records say containers use, and how often."""
        records = self.host.records
        named = {volume.id: volume.name for volume in records.volumes}
        return {(named[holder.volume], holder.mount): holder.count for holder in records.holders}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            told = {key: one for key, one in value.items() if key in TOLD} if "State" in value else value
            return {key: self._plain(one) for key, one in told.items()}
        if isinstance(value, list):
            return [self._plain(one) for one in value]
        return LONG.sub(r"\1#\2\3", ID.sub("ID", value)) if isinstance(value, str) else value


@pytest.mark.parametrize(("version", "name"), SEQUENCES)
def test_each_call_is_answered_as_reviewed_and_uses_are_counted(version: str, name: str) -> None:
    with volume_plugin() as host:
        replay = Replay(host)
        for command, now in ALL[version][name].items():
            replay.begin(command)
            for step in now["calls"]:
                assert step["answer"] == replay.send(step), (command, step["call"])
            assert now["left"] == replay.end(), command
            assert replay.uses == replay.held(), command


@pytest.mark.parametrize(("version", "name"), SEQUENCES)
def test_calls_that_come_twice_end_where_they_end_once(version: str, name: str) -> None:
    with volume_plugin() as host:
        replay = Replay(host)
        for command, now in ALL[version][name].items():
            replay.begin(command)
            for step in now["calls"]:
                first = replay.send(step)
                if "failed" not in step:
                    assert first == replay.send(step), (command, step["call"])
            assert now["left"] == replay.end(), command


def test_of_every_version_the_same_is_left_by_the_same_command() -> None:
    for name, commands in ALL["29"].items():
        for version in VERSIONS:
            for command, now in ALL[version].get(name, {}).items():
                assert commands[command]["left"] == now["left"], (version, command)


def answered(commands: Mapping[str, Command]) -> dict[str, Command]:
    """Return commands with our answers of now."""
    with volume_plugin() as host:
        replay, found = Replay(host), {}
        for command, now in commands.items():
            replay.begin(command)
            calls = [step | {"answer": replay.send(step)} for step in now["calls"]]
            found[command] = {"left": replay.end(), "calls": calls}
        return found


def write(path: Path, sequences: Sequences) -> None:
    """Write a file with our answers of now; to be reviewed."""
    path.write_text(page({name: answered(commands) for name, commands in sequences.items()}))


if __name__ == "__main__":  # python -m tests.contract.test_volume_recordings: write the answers anew, then review them
    with quiet():
        for one in VERSIONS:
            write(file(one), ALL[one])
