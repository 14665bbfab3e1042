from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from records.errors import Duplicate, Unavailable
from records.memory import MemoryStore
from records.snapshot import Records
from records.store import decide
from records.writes import Insert, Write
from tests.examples import world

W = world()


def test_a_decision_without_writes_commits_nothing() -> None:
    store = MemoryStore()
    store.cut()

    assert "nothing to do" == decide(store, lambda _: ([], "nothing to do"))


def test_one_who_is_never_first_gives_up_in_time_with_the_reason() -> None:
    store = MemoryStore()
    store.commit([Insert(W.tenant)])
    looks = 0

    def decision(_: Records) -> tuple[Sequence[Write], None]:
        nonlocal looks
        looks += 1
        return [Insert(dataclasses.replace(W.tenant, labels={"try": str(looks)}))], None

    with pytest.raises(
        Unavailable, match=r"gave up after 0\.05 s \(Tenant tenant of web: .* exists already\)"
    ) as gave_up:
        decide(store, decision, within=0.05)

    assert isinstance(gave_up.value.__cause__, Duplicate)
    assert looks > 1


def test_a_store_that_is_away_is_not_asked_twice() -> None:
    store = MemoryStore()
    store.cut("records unavailable: cut")
    looks = 0

    def decision(_: Records) -> tuple[Sequence[Write], None]:
        nonlocal looks
        looks += 1
        return [Insert(W.tenant)], None

    with pytest.raises(Unavailable, match="records unavailable: cut"):
        decide(store, decision)

    assert 1 == looks
