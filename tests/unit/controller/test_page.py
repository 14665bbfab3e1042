from pathlib import Path

from controller.page import MEANINGS, page
from controller.pipeline import Table


def test_the_page_about_the_pipeline_is_what_the_program_says() -> None:
    assert (Path(__file__).parents[3] / "docs/pipeline.md").read_text() == page()


def test_every_table_has_a_meaning() -> None:
    assert set(Table) == set(MEANINGS)
