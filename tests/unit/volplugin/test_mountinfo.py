import pytest

from volplugin.mountinfo import Mounted, at, below, parse

TABLE = r"""
36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
40 36 0:52 / /var/lib/moorage/volumes/gl/share rw,relatime shared:7 - fuse.glusterfs g1:/vol rw,user_id=0
41 36 0:52 /acme/db-1 /var/lib/moorage/volumes/gl/a\040b rw - fuse.glusterfs g1:/vol rw
42 36 0:53 / /mnt2 ro - nfs4 [2001:db8::1]:/export rw,vers=4.2
""".strip()


def test_a_line_of_the_kernel_s_table_is_a_mount() -> None:
    assert Mounted(
        device="0:52",
        root="/",
        target="/var/lib/moorage/volumes/gl/share",
        type="fuse.glusterfs",
        source="g1:/vol",
        options=frozenset({"rw", "relatime", "user_id=0"}),
    ) in parse(TABLE)


def test_blanks_in_names_are_read_as_blanks() -> None:
    assert "/var/lib/moorage/volumes/gl/a b" in {mount.target for mount in parse(TABLE)}


def test_of_two_mounts_at_one_place_the_later_is_seen() -> None:
    seen = at("/mnt2", parse(TABLE))

    assert seen is not None
    assert ("nfs4", "[2001:db8::1]:/export") == (seen.type, seen.source)


@pytest.mark.parametrize("target", ["/mnt", "/mnt2/", "/var/lib/moorage/volumes/gl"])
def test_what_is_no_mount_point_is_none(target: str) -> None:
    assert at(target, parse(TABLE)) is None


def seen(root: str, source: str = "nas:/export", device: str = "0:44") -> Mounted:
    return Mounted(device=device, root=root, target="/any", type="any", source=source)


@pytest.mark.parametrize(
    ("top", "there", "path"),
    [
        (seen("/"), seen("/acme/db-1"), "acme/db-1"),
        (seen("/disk"), seen("/disk/acme/db-1"), "acme/db-1"),
        (seen("/"), seen("/", "nas:/export/acme/db-1"), "acme/db-1"),  # the kernel's NFS client
        (seen("/", "nas:/"), seen("/", "nas:/acme/db-1"), "acme/db-1"),
        (seen("/", "[2001:db8::1]:/"), seen("/", "[2001:db8::1]:/acme/db-1"), "acme/db-1"),
        (seen("/disk"), seen("/other"), None),
        (seen("/disk"), seen("/disk2/acme/db-1"), None),
        (seen("/"), seen("/acme/db-1", device="0:45"), None),
        (seen("/"), seen("/", "nas:/export2/acme/db-1"), None),
    ],
)
def test_a_bind_shows_a_path_below_what_it_is_of(top: Mounted, there: Mounted, path: str | None) -> None:
    assert path == below(top, there)
