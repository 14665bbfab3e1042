import uuid

from cli.backends.told import in_the_way, told
from records.memory import MemoryStore
from records.model import Backend, BackendId, Holder, HolderId, Host, HostId, Tenant, TenantId, Volume, VolumeId
from records.writes import Insert

HOST = Host(id=HostId(uuid.uuid4()), name="a")
TENANT = Tenant(id=TenantId(uuid.uuid4()), name="default")
DISK = Backend(id=BackendId(uuid.uuid4()), name="disk", kind="local", source="/srv", options={"mount-point": "yes"})


def volume(name: str, removed: int = 0) -> Volume:
    key = VolumeId(uuid.uuid4())
    path = f"default/{name}-{key.hex[:8]}"
    return Volume(
        id=key, name=name, removed=removed, tenant=TENANT.id, backend=DISK.id, path=path, host=HOST.id, steward=HOST.id
    )


def store(*volumes: Volume) -> MemoryStore:
    made = MemoryStore()
    made.commit([Insert(record) for record in (HOST, TENANT, DISK, *volumes)])
    return made


def test_a_backend_is_well_where_the_daemon_knows_of_no_problem() -> None:
    size = {"total": 100, "free": 60, "available": 50}
    daemon = {"backends": {"disk": {"problem": None, "mounted": True, "size": size}}}

    found = told(store(volume("db"), volume("old", 5)).snapshot(), DISK, daemon)

    assert ("well", None, True) == (found.health, found.problem, found.mounted)
    assert (100, 60, 50) == (found.total, found.free, found.available)
    assert (("db",), ("old",)) == (found.volumes, found.removed)
    assert {"mount-point": "yes"} == found.options


def test_a_backend_is_down_with_the_reason_that_the_daemon_tells() -> None:
    found = told(store().snapshot(), DISK, {"backends": {"disk": {"problem": "it does not answer"}}})

    assert ("down", "it does not answer") == (found.health, found.problem)


def test_the_health_of_a_backend_is_unknown_while_the_daemon_is_away() -> None:
    found = told(store().snapshot(), DISK, "not running")

    assert ("unknown", "volplugin: not running", None) == (found.health, found.problem, found.total)


def test_who_uses_a_backend_is_counted_by_host() -> None:
    made = store(used := volume("db"))
    made.commit(
        [
            Insert(Holder(id=HolderId(uuid.uuid4()), volume=used.id, host=HOST.id, mount=mount, boot="b"))
            for mount in ("1", "2")
        ]
    )

    assert {"a": 2} == told(made.snapshot(), DISK, {}).holders


def test_a_backend_without_volumes_may_go() -> None:
    assert in_the_way(told(store().snapshot(), DISK, {})) is None


def test_volumes_and_what_is_in_the_trash_are_in_the_way_of_a_backends_removal_and_what_to_do_is_said() -> None:
    records = store(volume("db"), volume("web"), volume("old", 5)).snapshot()

    assert in_the_way(told(records, DISK, {})) == (
        "backend disk has 2 volumes on it: db, web; remove them with `docker volume rm`, or `moorage volume rm --now` "
        "where the data may go at once, and 1 volume in its trash: old; bring them back with `moorage volume restore`, "
        "delete them with `moorage volume rm --now`, or wait"
    )
