"""docs/conformance.md says which test shows what Docker asks: none of it may be left out, or gone."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import test_recordings, test_volume_recordings
from tests.contract.test_recordings import VERSIONS

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "conformance.md"
ALL = {version: {**test_recordings.ALL[version], **test_volume_recordings.ALL[version]} for version in VERSIONS}
NOT_OURS = ("not ours: ", "Docker's own", "never: ")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading."""
    _, _, after = PAGE.read_text().partition(f"\n## {heading}\n")
    text = after.partition("\n## ")[0]
    found = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    return found[2:]  # without the head and the line beneath it


def numbers(cell: str) -> range:
    first, _, last = cell.partition("-")
    return range(int(first), int(last or first) + 1)


@functools.cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def named(cell: str) -> Iterator[tuple[str, str]]:
    """Yield file and function of each test in a cell."""
    yield from re.findall(r"`([\w/]+\.py)::(\w+)`", cell)


@pytest.mark.parametrize(("heading", "last"), [("Rules", 30), ("Cases", 126)])
def test_every_number_is_there_once_and_in_order(heading: str, last: int) -> None:
    assert list(range(1, last + 1)) == [number for row in rows(heading) for number in numbers(row[0])]


@pytest.mark.parametrize("row", [*rows("Rules"), *rows("Cases")], ids=lambda row: f"{row[0]} {row[1][:30]}")
def test_each_is_shown_by_tests_that_exist_or_is_not_ours(row: list[str]) -> None:
    _, _, shown = row
    tests = list(named(shown))

    assert tests or shown.startswith(NOT_OURS)
    for file, function in tests:
        assert function in functions(TESTS / file), f"{file} has no {function}"


@pytest.mark.parametrize("row", rows("Sequences of calls"), ids=lambda row: row[0])
def test_each_sequence_is_recorded_for_the_versions_named(row: list[str]) -> None:
    _, _, shown = row
    recorded = re.findall(r"`([\d ]+): ([a-z ]+?) ([A-Z][\w ]+)`", shown)

    assert recorded or list(named(shown))
    for file, function in named(shown):
        assert function in functions(TESTS / file)
    for versions, name, commands in recorded:
        for version in versions.split():
            there = {command.partition(" ")[0] for command in ALL[version][name]}
            assert set(commands.split()) <= there, (version, name)


def test_no_recorded_sequence_is_left_out_of_the_page() -> None:
    recorded = {name for version in VERSIONS for name in ALL[version]}

    assert recorded == {name for name in recorded if f": {name} " in PAGE.read_text()}


def test_each_failure_of_other_plugins_is_shown_by_tests_that_exist() -> None:
    table = [line for line in (TESTS.parent / "docs" / "peers.md").read_text().splitlines() if line.startswith("| ")]
    shown = [list(named(line)) for line in table[2:]]

    assert all(shown)
    for file, function in (test for tests in shown for test in tests):
        assert function in functions(TESTS / file), f"{file} has no {function}"
