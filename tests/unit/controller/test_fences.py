"""What keeps a host from a storage server: the records of fences, and nothing else."""

from __future__ import annotations

import dataclasses

from controller.planner import FENCES, FlowPlanner, concerned
from records.model import FenceId, VolumeId
from records.snapshot import Records
from records.store import Change
from tests import host


def texts(records: Records, name: str = "a") -> list[str]:
    return [flow.text for flow in FlowPlanner(name).want(records, FENCES) or ()]


def test_a_host_without_fences_has_no_flows_of_them() -> None:
    assert [] == texts(Records().replaced([(None, host.HOST)]))


def test_what_goes_to_a_server_that_the_host_is_fenced_from_is_dropped_and_counted_by_its_reason() -> None:
    assert [
        "table=0, priority=500,ip,nw_dst=203.0.113.7 actions=load:0x14->NXM_NX_REG9[],goto_table:60",
        "table=0, priority=500,ipv6,ipv6_dst=fd00:7::7 actions=load:0x14->NXM_NX_REG9[],goto_table:60",
    ] == texts(host.records())


def test_each_host_follows_its_own_fences() -> None:
    assert ["table=0, priority=500,ip,nw_dst=203.0.113.8 actions=load:0x14->NXM_NX_REG9[],goto_table:60"] == texts(
        host.records(), "b"
    )


def test_two_volumes_on_one_server_are_one_flow() -> None:
    more = dataclasses.replace(host.VOLUME, id=VolumeId(host.ident("more")), name="more", path="default/more")
    other = dataclasses.replace(host.FENCES[0], id=FenceId(host.ident("other")), volume=more.id)
    records = host.records().replaced([(None, more), (None, other)])

    assert 2 == len(texts(records))


def test_a_fence_that_comes_or_goes_concerns_nothing_but_the_fences() -> None:
    fence = host.FENCES[0]

    assert {FENCES} == concerned(Change(None, fence), host.records())
    assert {FENCES} == concerned(Change(fence, None), host.records())
