import io
import json

import pytest
from rich.console import Console

from cli.output import duration
from cli.render import as_json, print_status
from cli.status import Status
from tests.unit.cli.test_status import LEADER, cluster, storage, told


def printed(status: Status) -> str:
    out = io.StringIO()
    print_status(status, Console(file=out, width=200, highlight=False))
    return out.getvalue()


def test_people_see_hosts_networks_endpoints_and_daemons() -> None:
    text = printed(told(cluster()))

    for word in (
        "alpha",
        "web",
        "10.1.0.0/16 (1 taken)",
        "10.1.0.1",
        "alpha: 1",
        "10.1.0.5",
        "up",
        "1 min 1 s",
        "40 MB",
    ):
        assert word in text


def test_people_see_why_something_is_down_though_it_looks_like_markup() -> None:
    text = printed(told(cluster(up=False, problem="port [mv1] refused [/red]"), netplugin="not running"))

    assert "port [mv1] refused [/red]" in text
    assert "not running" in text


def test_without_records_people_see_why_and_what_is_known() -> None:
    text = printed(told(None, problem="records unavailable: no leader among [unix:/db.sock]"))

    assert "no leader among [unix:/db.sock]" in text
    assert "netplugin" in text
    assert "are not known while the records cannot be read" in text


def test_members_are_listed_where_there_are_several() -> None:
    other = type(LEADER)("tcp:10.0.0.2:6641", leader=False, problem=None)
    text = printed(told(cluster(), members=(LEADER, other)))

    assert "unix:/db.sock: leads" in text
    assert "tcp:10.0.0.2:6641: follows" in text


def test_programs_get_everything_as_json_under_names_that_stay() -> None:
    found = json.loads(as_json(told(cluster(), controller="not running")))

    assert {"host", "database", "daemons", "hosts", "networks", "endpoints", "records", "exit_code"} | {
        "backends",
        "volumes",
    } == set(found)
    assert {"id", "network", "host", "port", "mac", "addresses", "up", "reason"} == set(found["endpoints"][0])
    assert (1, "unix:/db.sock") == (found["exit_code"], found["database"]["leader"])
    assert ["not running"] == [daemon["problem"] for daemon in found["daemons"] if not daemon["running"]]
    assert found["daemons"][0]["told"]["flows"] == {"wanted": 7}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (90061, "1 d 1 h"), (86405, "1 d 5 s")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_people_see_backends_and_volumes_in_trouble() -> None:
    size = {"total": 4 * 2**30, "free": 2**30, "available": 2**30}
    daemon = {"in_sync": True, "failures": [], "backends": {"disk": {"problem": None, "mounted": True, "size": size}}}
    text = printed(told(storage("it is busy [/red]"), volplugin=daemon))

    for word in ("Backends", "1 GiB of 4 GiB", "Volumes in trouble", "deleting", "it is busy [/red]"):
        assert word in text
