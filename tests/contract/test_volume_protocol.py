"""What Docker asks of a volume driver, call by call, and bad input; docs/conformance.md names the numbers."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.quiet import quiet
from tests.volume_machine import FakeMachine
from tests.volume_plugin import VolumePlugin, mount_id, volume_plugin
from tests.waiting import in_threads, until

METHODS = ("Create", "Remove", "Mount", "Path", "Unmount")


@pytest.fixture
def host() -> Iterator[VolumePlugin]:
    with volume_plugin() as made:
        yield made


def machine(host: VolumePlugin) -> FakeMachine:
    assert isinstance(host.machine, FakeMachine)
    return host.machine


def test_activation_says_what_it_is_and_needs_no_records(host: VolumePlugin) -> None:
    host.store.cut()

    assert {"Implements": ["VolumeDriver"]} == host.post("Plugin.Activate")
    assert {"Capabilities": {"Scope": "global"}} == host.post("VolumeDriver.Capabilities", {})


def test_the_life_of_a_volume(host: VolumePlugin) -> None:
    assert "volume data does not exist" == host.refused("VolumeDriver.Get", {"Name": "data"})
    assert {} == host.post("VolumeDriver.Create", {"Name": "data", "Opts": None})

    there = host.mount("data", 1)
    told = host.get("data")

    assert ("data", there) == (told["Name"], told["Mountpoint"])
    assert dt.datetime.fromisoformat(told["CreatedAt"]).tzinfo is not None
    assert {"Volumes": [told]} == host.call("VolumeDriver.List")
    assert {"Mountpoint": there} == host.call("VolumeDriver.Path", Name="data")
    assert {} == host.post("VolumeDriver.Unmount", {"Name": "data", "ID": mount_id(1)})
    assert {} == host.post("VolumeDriver.Remove", {"Name": "data"})
    assert {"Volumes": []} == host.call("VolumeDriver.List")


def test_what_exists_may_be_created_again_and_stays_as_it_is(host: VolumePlugin) -> None:
    host.create("data", mode="0700")
    before = host.volume("data")
    host.create("data", mode="0777")

    assert before == host.volume("data")


def test_what_is_gone_may_be_removed_again(host: VolumePlugin) -> None:
    host.create("data")
    host.remove("data")
    host.remove("data")
    host.remove("never")


def test_a_mount_is_never_answered_without_a_place(host: VolumePlugin) -> None:
    host.create("data")
    machine(host).broken["bind"] = "no server"

    assert "no server" in host.refused("VolumeDriver.Mount", {"Name": "data", "ID": mount_id(1)})


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_body_is_refused_and_changes_nothing(host: VolumePlugin, method: str) -> None:
    host.create("data")
    host.mount("data", 1)
    before = host.records

    assert "came without a body" in host.refused(f"VolumeDriver.{method}")
    assert before == host.records


def test_get_answers_from_memory_whatever_its_backend_does(host: VolumePlugin) -> None:
    host.create("data")
    machine(host).hung.add("disk")
    machine(host).broken["disk"] = "gone"
    for _ in range(2):
        host.refused("VolumeDriver.Mount", {"Name": "data", "ID": mount_id(1)})

        assert "data" == host.get("data")["Name"]

    assert "does not answer" in host.get("data")["Status"]["Problem"]
    host.store.cut()

    assert "data" == host.get("data")["Name"]
    assert ["data"] == [told["Name"] for told in host.call("VolumeDriver.List")["Volumes"]]


def test_a_hung_backend_is_not_felt_by_another_one(host: VolumePlugin) -> None:
    host.backend("other")
    host.create("data", backend="disk")
    host.create("well", backend="other")
    machine(host).hung.add("disk")
    host.refused("VolumeDriver.Mount", {"Name": "data", "ID": mount_id(1)})

    assert host.mount("well", 2)


def test_many_volumes_are_told_at_once_after_a_restart(host: VolumePlugin) -> None:
    """At its boot dockerd activates us and asks for each volume; that is answered from memory."""
    for number in range(50):
        host.create(f"data{number}")
    host.restart()
    calls = list(machine(host).calls)

    assert {"Implements": ["VolumeDriver"]} == host.post("Plugin.Activate")
    assert {f"data{number}" for number in range(50)} == {v["Name"] for v in host.call("VolumeDriver.List")["Volumes"]}
    assert not [verb for _, verb in machine(host).calls[len(calls) :] if verb in {"mount", "bind", "probe"}]


def test_containers_that_start_and_stop_at_once_leave_nothing(host: VolumePlugin) -> None:
    host.create("data")
    in_threads(
        [lambda number=number: (host.mount("data", number), host.unmount("data", number)) for number in range(20)]
    )  # type: ignore[misc]
    host.settled()

    assert {} == host.counts("data")
    assert [] == host.mounted()


def test_the_first_mounts_of_several_containers_at_once_all_see_the_volume(host: VolumePlugin) -> None:
    host.create("data")
    places: list[str] = []
    in_threads([lambda number=number: places.append(host.mount("data", number)) for number in range(10)])  # type: ignore[misc]

    assert host.mounted() == sorted(set(places))
    assert 10 == len(places) == len(host.counts("data"))


# Bad input.

NAMES = (
    "", "a", "..", ".", "a/b/c", "../etc", "/etc", "a b", "a\n", "-rf", ".hidden", "a" * 300, "ab/../../etc",
    "a\x00b", "naïve", "\udcff", "$(reboot)", "a;b", "a*", "default/..", "de fault/data",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_cannot_be_is_refused_and_leaves_nothing(host: VolumePlugin, name: str) -> None:
    before = list(machine(host).calls)

    assert host.refused("VolumeDriver.Create", {"Name": name, "Opts": {}})
    assert [] == list(host.records.volumes)
    assert before == machine(host).calls


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_whatever_is_asked_of_such_a_name_it_does_not_exist(host: VolumePlugin, name: str) -> None:
    host.refused("VolumeDriver.Get", {"Name": name})
    host.refused("VolumeDriver.Path", {"Name": name})
    host.refused("VolumeDriver.Mount", {"Name": name, "ID": mount_id(1)})
    for method in ("Remove", "Unmount"):
        host.post(f"VolumeDriver.{method}", {"Name": name, "ID": mount_id(1)})

    assert [] == list(host.records.holders)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sice": "10G"}, "did you mean 'size'?"),
        ({"type": "nfs"}, "unknown option 'type'"),
        ({"backend": "nowhere"}, "there is no backend nowhere; there are: disk"),
        ({"backend": "../disk"}, "is not a name"),
        ({"size": "10X"}, "is not a size"),
        ({"size": "-1G"}, "is not a size"),
        ({"size": "1.5G"}, "is not a size"),
        ({"size": "10"}, "less than 1M"),
        ({"size": "9999999999999P"}, "more than any file system holds"),
        ({"access": "everyone"}, "is not one of shared, host, container"),
        ({"retain": "maybe"}, "is not one of"),
        ({"uid": "root"}, "is not a number"),
        ({"gid": "4294967295"}, "is not a number"),
        ({"mode": "9999"}, "is not octal permissions"),
        ({"tenant": "a/b"}, "is not a name"),
        ({"labels": "novalue"}, "is not KEY=VALUE"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused_with_what_could(
    host: VolumePlugin, options: dict[str, str], told: str
) -> None:
    assert told in host.refused("VolumeDriver.Create", {"Name": "data", "Opts": options})
    assert [] == list(host.records.volumes)


def test_a_tenant_that_contradicts_the_name_is_refused(host: VolumePlugin) -> None:
    assert "contradicts" in host.refused("VolumeDriver.Create", {"Name": "acme/data", "Opts": {"tenant": "other"}})


def test_a_volume_in_the_trash_cannot_be_mounted(host: VolumePlugin) -> None:
    host.create("data")
    host.remove("data")

    assert "does not exist" in host.refused("VolumeDriver.Mount", {"Name": "data", "ID": mount_id(1)})
    assert [] == list(host.records.holders)


@pytest.mark.parametrize("mount", ["", "../x", "a" * 200, "a b", "\x00"], ids=ascii)
def test_an_id_of_a_mount_that_cannot_be_is_refused(host: VolumePlugin, mount: str) -> None:
    host.create("data")

    assert host.refused("VolumeDriver.Mount", {"Name": "data", "ID": mount})
    assert [] == list(host.records.holders)


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"null", b"7", b'"data"', b"\xff\xfe", b'{"Name":7}', b'{"Name":null}', b'{"Name":["data"]}',
        b'{"Name":"data","Opts":7}', b'{"Name":"data","Opts":{"size":10}}', b"[" * 5000, b'{"Name":"\xff"}',
    ],
    ids=lambda body: body[:30].decode(errors="replace"),
)  # fmt: skip
def test_a_body_that_is_not_what_docker_sends_is_refused_with_the_place(host: VolumePlugin, body: bytes) -> None:
    assert host.refused("VolumeDriver.Create", body)
    assert [] == list(host.records.volumes)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.fixed_dictionaries({}, optional=dict.fromkeys(("Name", "ID", "Opts"), anything))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from((*METHODS, "Get", "List", "Capabilities")), body=fields | anything)
def test_nothing_that_is_json_makes_it_fail_in_a_way_of_its_own(host: VolumePlugin, method: str, body: object) -> None:
    with quiet():
        answer = host.post(f"VolumeDriver.{method}", json.dumps(body).encode())

    assert "internal error" not in answer.get("Err", "")


def test_what_is_removed_while_it_is_used_stays(host: VolumePlugin) -> None:
    host.create("data")
    there = host.mount("data", 1)

    assert "volume data is in use by a container on host a" == host.refused("VolumeDriver.Remove", {"Name": "data"})
    assert [there] == host.mounted()


def test_another_host_counts_its_own_containers_and_keeps_a_volume_in_use_too(host: VolumePlugin) -> None:
    """convoy: two containers, one stops, and `delete` succeeds under the other."""
    same = FakeMachine(machine(host))  # of whose disk both hosts have a mount
    with volume_plugin(store=host.store, machine=same, host="b", shared=True, backends=()) as second:
        first = host
        first.shared = True
        first.restart()
        first.create("data")
        first.mount("data", 1)
        second.mount("data", 1)
        first.unmount("data", 1)

        assert "host b" in first.refused("VolumeDriver.Remove", {"Name": "data"})

        second.unmount("data", 1)
        first.remove("data")
        until(lambda: first.records.volumes.one(name="data", removed=0) is None)
