"""What is believed of uses of volumes whose end is in doubt."""

import dataclasses
import uuid

import pytest

from records.hosts import ensure_host
from records.memory import MemoryStore
from records.model import Holder, HolderId, HostId, VolumeId
from tests.volumes import BOOT, holders, ready
from volplugin import uses
from volplugin.uses import Judged, judge

OLD, NEW = "0", "1"  # doubted, confirmed


def known(text: str) -> list[Holder]:
    """Return a holder for each letter: confirmed or not."""
    volume, host = VolumeId(uuid.uuid4()), HostId(uuid.uuid4())
    return [
        Holder(id=HolderId(uuid.uuid4()), volume=volume, host=host, mount=f"m{n}", boot=BOOT, confirmed=letter == NEW)
        for n, letter in enumerate(text)
    ]


@pytest.mark.parametrize(
    ("there", "listed", "seen", "sure", "ended"),
    [
        ("0", 1, 0, "0", ""),  # Docker accounts for it
        ("0", 2, 0, "0", ""),
        ("0", 0, 0, "", "0"),  # nobody does
        ("1", 0, 0, "", "1"),
        ("0", 0, 1, "", ""),  # the kernel does: dockerd has not come to it yet
        ("10", 1, 1, "", "0"),  # the one that is certain is the one that runs
        ("10", 1, 2, "", ""),  # a container that makes namespaces of its own, or two
        ("100", 1, 1, "", "00"),
        ("00", 1, 1, "", ""),  # one of them; which, its Unmount will tell
        ("110", 2, 0, "", "0"),
        ("110", 3, 0, "110", ""),
    ],
)
def test_what_nobody_accounts_for_seems_ended(there: str, listed: int, seen: int, sure: str, ended: str) -> None:
    def letters(found: Judged) -> tuple[str, str]:
        return (
            "".join(str(int(holder.confirmed)) for holder in found.sure),
            "".join(str(int(holder.confirmed)) for holder in found.ended),
        )

    assert (sure, ended) == letters(judge(known(there), listed, seen))


def test_a_new_dockerd_knows_of_each_use_once(store: MemoryStore) -> None:
    ready(store, "db")
    for _ in range(3):
        holders(store).hold("db", "m1")

    writes, count = uses.doubt(store.snapshot(), "a", BOOT)
    store.commit(writes)

    assert 1 == count
    assert [(1, False)] == [(h.count, h.confirmed) for h in store.snapshot().holders]
    assert ([], 0) == uses.doubt(store.snapshot(), "a", BOOT)

    holders(store).hold("db", "m1")

    assert [(1, True)] == [(h.count, h.confirmed) for h in store.snapshot().holders]


def test_what_an_earlier_boot_held_is_void_and_what_other_hosts_hold_is_not(store: MemoryStore) -> None:
    ready(store, "db")
    holders(store, boot="before").hold("db", "m1")
    holders(store).hold("db", "m2")
    holders(store, "b", boot="before").hold("db", "m3")

    writes, count = uses.void(store.snapshot(), "a", BOOT)
    store.commit(writes)

    assert 1 == count
    assert {"m2", "m3"} == {holder.mount for holder in store.snapshot().holders}


def test_a_use_that_a_call_changes_meanwhile_is_neither_ended_nor_believed(store: MemoryStore) -> None:
    ready(store, "db")
    holders(store).hold("db", "m1")
    (before,) = store.snapshot().holders
    holders(store).hold("db", "m1")

    assert ([], 0) == uses.end(store.snapshot(), before)
    assert ([], 0) == uses.confirm(store.snapshot(), [dataclasses.replace(before, confirmed=False)])


def test_a_host_without_a_record_holds_nothing() -> None:
    store = MemoryStore()
    ensure_host(store, "other", "volplugin", "0")

    assert [] == uses.held(store.snapshot(), "a", BOOT)
    assert ([], 0) == uses.void(store.snapshot(), "a", BOOT)
