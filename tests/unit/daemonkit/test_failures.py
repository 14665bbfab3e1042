import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from daemonkit.failures import RETRY_FIRST, RETRY_LAST, Failure, Failures

KEY = ("ports", "mv1")


def test_a_failure_is_tried_again_later_and_later_but_never_too_late() -> None:
    failures, now, waits = Failures(chance=lambda: 0.5), 100.0, []
    for _ in range(12):
        failures.add(KEY, "refused", now)
        waits.append(failures.next() - now)
        now = failures.next()

    assert math.isclose(waits[0], RETRY_FIRST)
    assert all(math.isclose(b, min(2 * a, RETRY_LAST)) for a, b in itertools.pairwise(waits))


@given(st.floats(0, 1), st.integers(1, 2000))
def test_a_wait_stays_within_its_bounds_whatever_chance_says(chance: float, tries: int) -> None:
    failures = Failures(chance=lambda: chance)
    for _ in range(tries):
        failures.add(KEY, "refused", 0.0)

    assert RETRY_FIRST * 0.8 <= failures.next() <= RETRY_LAST * 1.2


def test_it_is_news_when_the_reason_is_new_and_remembers_since_when() -> None:
    failures = Failures(chance=lambda: 0.5)

    assert [True, False, True] == [
        failures.add(KEY, "refused", 1.0),
        failures.add(KEY, "refused", 2.0),
        failures.add(KEY, "gone", 3.0),
    ]
    assert failures.copy() == {KEY: Failure("gone", tries=3, since=1.0, again=3.4)}


def test_what_is_well_is_forgotten() -> None:
    failures = Failures()
    failures.add(KEY, "refused", 1.0)

    assert failures.remove(KEY) is not None
    assert failures.remove(KEY) is None
    assert (0, set(), math.inf) == (len(failures), failures.due(1e9), failures.next())
    failures.add(KEY, "refused", 9.0)
    assert failures.copy()[KEY].since == 9.0


def test_only_what_is_due_is_tried_and_only_asked_reasons_are_told() -> None:
    failures = Failures(chance=lambda: 0.5)
    failures.add(KEY, "refused", 1.0)
    failures.add(("links", "mv2"), "busy", 5.0)

    assert failures.due(1.1) == {KEY}
    assert failures.reasons([KEY, ("links", "mv3")]) == {KEY: "refused"}
    assert failures.of("links") == [("links", "mv2")]
