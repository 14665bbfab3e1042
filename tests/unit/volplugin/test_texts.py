"""Everything that a user of `docker volume create`, `run -v` and `volume rm` may be told, as one text to be read."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from records.model import Backend, BackendId, Host, HostId
from records.writes import Insert
from tests.volume_machine import FakeMachine
from tests.volume_plugin import VolumePlugin, mount_id, volume_plugin

GOLDEN = Path(__file__).parents[2] / "golden" / "volume-texts"

BAD_OPTIONS = (
    {"sise": "10G"},
    {"nfsvers": "4"},
    {"backend": "tape"},
    {"backend": "no/name"},
    {"access": "mine"},
    {"retain": "maybe"},
    {"size": "ten"},
    {"size": "10K"},
    {"size": "99999999999P"},
    {"size-mode": "image"},
    {"uid": "root"},
    {"gid": "-1"},
    {"mode": "rwx"},
    {"tenant": "a/b"},
    {"labels": "rack"},
)
BAD_NAMES = ("x", "../etc", "a/b/c", "a b", "n" * 300, "nul\0", "")


def create(made: VolumePlugin, name: str, **options: str) -> str:
    return made.refused("VolumeDriver.Create", {"Name": name, "Opts": options})


def mount(made: VolumePlugin, name: str) -> str:
    return made.refused("VolumeDriver.Mount", {"Name": name, "ID": mount_id(1)})


def broken(verb: str, why: str, act: Callable[[VolumePlugin], str]) -> str:
    """Return what is told where a verb of the worker fails, for a volume that is not mounted."""
    machine = FakeMachine()
    with volume_plugin(machine=machine) as made:
        made.create("db")
        machine.broken[verb] = why
        return act(made)


def no_share() -> str:
    machine = FakeMachine()
    with volume_plugin(machine=machine, backends=()) as made:
        key = BackendId(uuid.uuid4())
        made.store.commit([Insert(Backend(id=key, name="disk", kind="local", source="/srv/away"))])
        return create(made, "db")


def hung() -> str:
    machine = FakeMachine()
    with volume_plugin(machine=machine) as made:
        made.create("db")
        machine.hung.add("disk")
        return mount(made, "db")


def elsewhere() -> str:
    with volume_plugin() as made:
        made.create("db")
        other = VolumePlugin(made.store, FakeMachine(), host="b")
        made.store.commit([Insert(Host(id=HostId(uuid.uuid4()), name="b"))])
        other.start()
        try:
            return mount(other, "db")
        finally:
            other.stop()


def in_use() -> str:
    with volume_plugin() as made:
        made.create("db")
        made.mount("db", 1)
        return made.refused("VolumeDriver.Remove", {"Name": "db"})


def without_records() -> str:
    with volume_plugin() as made:
        assert hasattr(made.store, "cut")
        made.store.cut()
        try:
            return create(made, "db")
        finally:
            made.store.mend()


def texts() -> list[str]:
    """Return what was done and what was said."""
    said: list[tuple[str, str]] = []
    with volume_plugin(backends=("disk", "nas")) as made:
        said += [
            (f"create -o {key}={text} db", create(made, "db", **given))
            for given in BAD_OPTIONS
            for key, text in given.items()
        ]
        said += [(f"create {name[:20]!r}", create(made, name, backend="disk")) for name in BAD_NAMES]
        said.append(("create, of two backends", create(made, "db")))
        said.append(("create -o tenant=b a/db", create(made, "a/db", tenant="b", backend="disk")))
        said.append(("run -v, never created", mount(made, "db")))
    with volume_plugin(backends=()) as made:
        said.append(("create, no backend", create(made, "db")))
    full = "its directory cannot be made on backend disk: No space left on device: there is no space left"
    said += [
        ("create, the backend's directory is away", no_share()),
        ("create, disk full", broken("make", full, lambda made: create(made, "web"))),
        ("run -v, data gone", broken("bind", "its data is missing: there is no default/db", lambda m: mount(m, "db"))),
        ("run -v, the backend hangs", hung()),
        ("run -v on another host", elsewhere()),
        ("rm, in use", in_use()),
        ("create, records away", without_records()),
    ]
    return [line for what, text in said for line in (f"# {what}", text, "")]


@pytest.mark.timeout(120)
def test_what_users_are_told_is_what_was_read_and_found_good() -> None:
    assert GOLDEN.read_text() == "\n".join(texts())
