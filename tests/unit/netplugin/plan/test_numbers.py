import pytest
from hypothesis import given
from hypothesis import strategies as st

from netplugin.plan.numbers import NoNumberLeft, choose


def test_the_seed_decides_so_that_two_hosts_and_two_restarts_agree() -> None:
    assert choose("web", 65535, lambda _: False) == choose("web", 65535, lambda _: False)


def test_seeds_are_spread() -> None:
    assert len({choose(str(n), 65535, lambda _: False) for n in range(100)}) > 90


def test_the_search_goes_round_from_the_last_number_to_the_first() -> None:
    for free in range(1, 8):
        others = set(range(1, 8)) - {free}
        assert free == choose("web", 7, others.__contains__)


def test_when_all_are_taken_it_says_so() -> None:
    with pytest.raises(NoNumberLeft, match=r"all of 1\.\.7 are taken"):
        choose("web", 7, lambda _: True)


@given(st.text(max_size=8), st.integers(1, 40), st.data())
def test_whatever_is_taken_a_free_number_of_the_range_is_found(seed: str, highest: int, data: st.DataObject) -> None:
    taken = data.draw(st.sets(st.integers(1, highest), max_size=highest - 1))

    number = choose(seed, highest, taken.__contains__)

    assert 1 <= number <= highest
    assert number not in taken
