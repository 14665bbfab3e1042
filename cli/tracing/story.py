"""The story of a packet: steps in plain words, and how it ends; and how both look to people and to programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

DELIVERED, DROPPED, CANNOT_SAY = 0, 1, 2  # exit codes


class Ending(StrEnum):
    """How it ends."""

    DELIVERED = "delivered"  # to a container or the host, and its answer comes back
    LEFT = "left"  # the host, for the outside
    DROPPED = "dropped"
    REFUSED = "refused"  # it arrives, and nothing listens
    UNKNOWN = "unknown"


_EXIT_CODES = {
    Ending.DELIVERED: DELIVERED,
    Ending.LEFT: DELIVERED,
    Ending.DROPPED: DROPPED,
    Ending.REFUSED: DROPPED,
    Ending.UNKNOWN: CANNOT_SAY,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: where, what, and exactly by which flow or rule."""

    where: str
    words: str
    exactly: tuple[str, ...] = ()
    well: bool = True
    answer: bool = False  # whether it happens to the answer


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """The end; `by` is the flow or rule that decided it."""

    ending: Ending
    words: str
    by: str | None = None

    @property
    def exit_code(self) -> int:
        """0 delivered (or out of the host), 1 dropped or refused, 2 nobody can say."""
        return _EXIT_CODES[self.ending]


@dataclasses.dataclass(frozen=True, slots=True)
class Story:
    """All of it; `notes` is what was not looked at."""

    packet: str
    steps: tuple[Step, ...]
    verdict: Verdict
    notes: tuple[str, ...] = ()


def as_json(story: Story) -> str:
    """Return the story as JSON; keys are added, never renamed."""
    plain = {**dataclasses.asdict(story), "exit_code": story.verdict.exit_code}
    return msgspec.json.format(msgspec.json.encode(plain, enc_hook=str), indent=2).decode()


def lines(story: Story, *, verbose: bool = False) -> Iterator[str]:
    """Yield the story's lines for people; `verbose` shows the flow or rule behind each step."""
    yield story.packet
    where: tuple[str, bool] | None = None
    for step in story.steps:
        if where != (step.where, step.answer):
            where = (step.where, step.answer)
            yield f"{step.where}{' (the answer)' if step.answer else ''}"
        yield f"  {'' if step.well else '! '}{step.words}"
        if verbose or not step.well:
            yield from (f"      {line}" for line in step.exactly)
    yield from (f"note: {note}" for note in story.notes)
    yield story.verdict.words


def unique(notes: Sequence[str]) -> tuple[str, ...]:
    """Return the notes, each once, in order."""
    return tuple(dict.fromkeys(notes))


class Ended(Exception):
    """The packet goes no further."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.words)
        self.verdict = verdict


class Teller:
    """Writes the story down while it happens."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.answer = False  # whether it is the answer that is followed now

    def say(self, where: str, words: str, *exactly: str, well: bool = True) -> None:
        """Tell a step."""
        self.steps.append(Step(where, words, exactly, well, self.answer))

    def dropped(self, where: str, words: str, why: str, *exactly: str) -> Ended:
        """Tell the step that drops it, and return the end: `dropped by <where>: <why>`."""
        self.say(where, words, *exactly, well=False)
        what = "the packet arrives, but its answer is dropped" if self.answer else "dropped"
        return Ended(Verdict(Ending.DROPPED, f"{what} by {where}: {why}", exactly[0] if exactly else None))

    def unknown(self, where: str, words: str, *exactly: str) -> Ended:
        """Tell that nobody can say how it goes on."""
        self.say(where, words, *exactly, well=False)
        return Ended(Verdict(Ending.UNKNOWN, f"cannot say: {words}", exactly[0] if exactly else None))
