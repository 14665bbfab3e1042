"""docs/volumes.md says what the code says."""

import re
from pathlib import Path

from click.testing import CliRunner

from cli.main import main
from volplugin.options import MEANINGS

PAGE = Path(__file__).parents[3] / "docs" / "volumes.md"


def test_the_page_has_all_options_with_their_meanings() -> None:
    section = PAGE.read_text().partition("## Options of")[2].partition("\n## ")[0]

    assert MEANINGS == dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", section, re.MULTILINE))


def test_the_page_has_all_commands() -> None:
    page = PAGE.read_text()

    for group in ("backend", "volume"):
        told = CliRunner().invoke(main, [group, "--help"]).stdout.partition("Commands:")[2]
        for line in told.splitlines():
            if found := re.match(r"  ([a-z-]+) ", line):
                assert re.search(rf"`(moorage {group} )?{found[1]}\b", page), f"{group} {found[1]}"
