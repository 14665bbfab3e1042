import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from cli.status import ALL_WELL, NO_RECORDS, SOMETHING_DOWN, Status, status
from cli.volumes.trouble import VolumeStatus
from records.members import Member
from records.memory import MemoryStore
from records.model import Backend, BackendId, Gateway, Use, Volume, VolumeId, VolumeState
from records.snapshot import Records
from records.writes import Insert
from tests.examples import world

LEADER = Member("unix:/db.sock", leader=True, problem=None)
WELL: Mapping[str, Any] = {
    "version": "1.2",
    "seconds": 61.0,
    "memory": 40_000_000,
    "in_sync": True,
    "failures": [],
    "flows": {"wanted": 7},
}


def cluster(*, up: bool = True, problem: str | None = None, internal: bool = False) -> Records:
    w = world("alpha")
    network = dataclasses.replace(w.network, internal=internal, gateway=Gateway.NAT)
    inserts = [Insert(network) if insert.new is w.network else insert for insert in w.inserts]
    endpoint = dataclasses.replace(w.endpoint(5), up=up, problem=problem)
    return MemoryStore().commit([*inserts, Insert(w.address("10.1.0.1", Use.GATEWAY)), Insert(endpoint)])


def told(
    records: Records | None,
    *,
    problem: str | None = None,
    members: tuple[Member, ...] = (LEADER,),
    **daemons: Mapping[str, Any] | str,
) -> Status:
    return status("alpha", records, problem, members, {"netplugin": WELL, "controller": WELL, **daemons})


def test_when_all_is_well_it_says_so() -> None:
    found = told(cluster())

    assert found.exit_code == ALL_WELL
    assert found.database.leader == "unix:/db.sock"
    assert [None, None] == [daemon.complaint for daemon in found.daemons]


def test_a_network_is_told_with_its_subnets_gateway_and_endpoints_by_host() -> None:
    (network,) = told(cluster()).networks

    assert ("web", "bridge", "nat", {"alpha": 1}) == (network.name, network.kind, network.gateway, network.hosts)
    assert [("10.1.0.0/16", "10.1.0.1", 1)] == [(s.cidr, s.gateway, s.taken) for s in network.subnets]


def test_an_internal_network_has_nothing_behind_its_gateway() -> None:
    (network,) = told(cluster(internal=True)).networks

    assert network.gateway == "internal"


def test_an_endpoint_is_told_with_its_addresses_and_state() -> None:
    (endpoint,) = told(cluster()).endpoints

    assert ("web", "alpha", ("10.1.0.5",), True, None) == (
        endpoint.network,
        endpoint.host,
        endpoint.addresses,
        endpoint.up,
        endpoint.reason,
    )


@pytest.mark.parametrize(
    ("problem", "reason"),
    [("port refused", "port refused"), (None, "its flows are not confirmed by the controller")],
)
def test_an_endpoint_that_is_down_is_told_with_the_reason(problem: str | None, reason: str) -> None:
    found = told(cluster(up=False, problem=problem))

    assert found.endpoints[0].reason == reason
    assert found.exit_code == SOMETHING_DOWN


def test_a_host_is_told_with_its_endpoints_and_versions() -> None:
    (host,) = told(cluster()).hosts

    assert ("alpha", 1, "192.0.2.1", {"netplugin": "0.1"}) == (host.name, host.endpoints, host.vtep, host.versions)


@pytest.mark.parametrize(
    ("daemon", "complaint"),
    [
        ("not running", "not running"),
        ({**WELL, "in_sync": False}, "it has not looked at everything yet"),
        ({**WELL, "failures": [{"layer": "ports", "key": "mv1", "reason": "busy"}]}, "ports mv1: busy"),
        (
            {**WELL, "failures": [{"layer": "ports", "key": "mv1", "reason": "busy", "seconds": 61.5}]},
            "ports mv1: busy (for 1 min 1 s)",
        ),
        ({**WELL, "switch": {"problem": "connection refused"}}, "switch: connection refused"),
    ],
)
def test_a_daemon_that_is_not_well_is_told_with_the_reason(daemon: Mapping[str, Any] | str, complaint: str) -> None:
    found = told(cluster(), netplugin=daemon)

    assert [complaint, None] == [daemon.complaint for daemon in found.daemons]
    assert found.exit_code == SOMETHING_DOWN


def storage(problem: str | None = None) -> Records:
    """Return the records of a cluster with a volume on a backend, which cannot be deleted where there is a problem."""
    w = world("alpha")
    disk = Backend(id=BackendId(uuid.uuid4()), name="disk", kind="local", source="/srv")
    data = Volume(
        id=VolumeId(uuid.UUID(int=7)),
        name="db",
        tenant=w.tenant.id,
        backend=disk.id,
        path="db",
        steward=w.host.id,
        state=VolumeState.READY if problem is None else VolumeState.DELETING,
        problem=problem,
    )
    return MemoryStore().commit([*w.inserts, Insert(disk), Insert(data)])


def test_a_backend_is_told_as_this_host_sees_it() -> None:
    well = {**WELL, "backends": {"disk": {"problem": None, "mounted": True, "size": {"total": 9, "free": 5}}}}
    found = told(storage(), volplugin=well)
    (disk,) = found.backends

    assert ("disk", "well", True, 9, 5, ("db",)) == (
        disk.name,
        disk.health,
        disk.mounted,
        disk.total,
        disk.free,
        disk.volumes,
    )
    assert (ALL_WELL, ()) == (found.exit_code, found.volumes)


def test_a_backend_that_does_not_work_is_something_down() -> None:
    found = told(storage(), volplugin={**WELL, "backends": {"disk": {"problem": "it does not answer"}}})

    assert "it does not answer" == found.backends[0].problem
    assert SOMETHING_DOWN == found.exit_code


def test_a_volume_that_cannot_be_brought_on_is_told_with_the_host_that_tries_and_the_reason() -> None:
    found = told(storage("it is busy"), volplugin=WELL)

    assert [VolumeStatus("db", "disk", "deleting", "alpha", "it is busy")] == list(found.volumes)
    assert SOMETHING_DOWN == found.exit_code


def test_a_daemon_that_fails_with_a_volume_calls_it_by_its_name() -> None:
    failures = [{"layer": "disk/binds", "key": str(uuid.UUID(int=7)), "reason": "its data is missing"}]
    found = told(storage(), volplugin={**WELL, "failures": failures})

    assert "disk/binds volume db: its data is missing" == found.daemons[2].complaint


def test_what_a_newer_daemon_tells_besides_is_kept_and_breaks_nothing() -> None:
    found = told(cluster(), netplugin={**WELL, "failures": ["odd"], "new": [1]})

    assert found.daemons[0].told["new"] == [1]
    assert found.exit_code == ALL_WELL


def test_without_records_it_tells_the_daemons_and_the_database_s_reason() -> None:
    gone = Member("unix:/db.sock", leader=False, problem="Connection refused")
    found = told(None, problem="no leader", members=(gone,), controller="not running")

    assert (NO_RECORDS, False, "no leader", None) == (
        found.exit_code,
        found.records,
        found.database.problem,
        found.database.leader,
    )
    assert [True, False] == [daemon.running for daemon in found.daemons]


def test_a_member_that_is_away_is_something_down_though_the_records_are_there() -> None:
    away = Member("tcp:10.0.0.2:6641", leader=False, problem="timed out")

    assert told(cluster(), members=(LEADER, away)).exit_code == SOMETHING_DOWN
