import pytest

from volplugin.backends.kind import Definition, Finding, Server
from volplugin.backends.nfs import Nfs, explain
from volplugin.mountinfo import Mounted

NAS = Definition(name="nas", kind="nfs", source="nas:/srv/a", options={"vers": "4.1"})
GOOD = Finding("server", good=True, found="it answers")


def mounted(kind: str, source: str) -> Mounted:
    return Mounted("0:99", "/", "/mnt", kind, source)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "fuse.nfs4"])
def test_a_mount_is_the_export_by_its_type_and_source(kind: str) -> None:
    assert Nfs().is_mounted(NAS, mounted(kind, "nas:/srv/a"), ())
    assert Nfs().is_mounted(NAS, mounted(kind, "nas:/srv/a/"), ())


@pytest.mark.parametrize(("kind", "source"), [("ext4", "nas:/srv/a"), ("nfs4", "nas:/srv"), ("nfs4", "other:/srv/a")])
def test_another_mount_is_not(kind: str, source: str) -> None:
    assert not Nfs().is_mounted(NAS, mounted(kind, source), ())


def test_the_whole_tree_of_a_server_is_a_source() -> None:
    assert Nfs().is_mounted(Definition(name="n", kind="nfs", source="nas:/"), mounted("nfs4", "nas:/"), ())


def test_the_server_is_known_with_its_port() -> None:
    assert [Server("nas", 2049)] == Nfs().servers(NAS)


def test_what_a_probe_finds_stands_beside_what_mount_said() -> None:
    found = Finding("export", good=False, found="there is no /srv/a", advice="make it")

    assert "mount.nfs4: No such file; there is no /srv/a; make it" == explain(
        "mount.nfs4: No such file", iter([GOOD, found])
    )


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("mount.nfs4: No such device", "this kernel has no NFS client"),
        (
            "mount: /mnt: bad option; for several filesystems you might need a /sbin/mount.<type> helper program.",
            "nfs-common",
        ),
        ("mount.nfs: rpc.statd is not running but is required for remote locking.", "nolock"),
        ("mount.nfs: an incorrect mount option was specified", "not known to this host's NFS client"),
        ("mount.nfs4: access denied by server while mounting nas:/srv/a", "let this host in"),
        ("mount.nfs4: Operation not permitted", "let this host in"),
        ("mount.nfs4: mounting nas:/a failed, reason given by server: No such file or directory", "no such export"),
        ("mount.nfs4: Protocol not supported", "see the option vers"),
        ("mount.nfs: requested NFS version or transport protocol is not supported", "see the option vers"),
        ("", "mount failed without a word"),
    ],
)
def test_where_a_probe_finds_nothing_the_words_of_mount_tell_what_to_do(said: str, advice: str) -> None:
    assert advice in explain(said, iter([GOOD]))
