import pytest

from cli.output import bytes_, table


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (2**30 * 3 // 2, "1.5 GiB"),
        (200 * 2**30 + 5, "200 GiB"),
        (2**62, "4096 PiB"),
    ],
)
def test_sizes_are_told_in_the_largest_unit_that_leaves_at_least_one(count: int | None, text: str) -> None:
    assert text == bytes_(count)


def test_a_table_is_aligned_and_an_empty_cell_is_a_dash() -> None:
    assert ["A   LONG", "xx  1", "y   -"] == list(table(("A", "LONG"), [("xx", "1"), ("y", "")]))
